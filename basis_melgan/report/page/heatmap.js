// Pictures over two axes: gray values come with the page, colors and axes are put to them here.

const MAGMA = DATA.colors.map((hex) => [1, 3, 5].map((place) => parseInt(hex.slice(place, place + 2), 16)));
const SPREAD = 20; // dB either way that a difference shows
const BLUR = [2, 1]; // columns and rows either way over which a difference is averaged

/** Gray values of a picture that came with the page: { width, height, values }. */
async function decoded(base64) {
  const picture = new Image();
  picture.src = `data:image/webp;base64,${base64}`;
  await picture.decode();
  const canvas = el("canvas", { width: picture.naturalWidth, height: picture.naturalHeight });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  const { data, width, height } = context.getImageData(0, 0, canvas.width, canvas.height);
  return { width, height, values: Float32Array.from({ length: width * height }, (_, place) => data[4 * place + 1] / 255) };
}

/** A minus b in dB, averaged over a few neighbors, mapped so that equal is ½ and `SPREAD` dB more is 1. */
function difference(a, b) {
  const [width, height] = [Math.min(a.width, b.width), a.height];
  const values = new Float32Array(width * height);
  for (let row = 0; row < height; row += 1) {
    for (let x = 0; x < width; x += 1) {
      const decibels = (a.values[row * a.width + x] - b.values[row * b.width + x]) * DATA.range;
      values[row * width + x] = 0.5 + decibels / (2 * SPREAD);
    }
  }
  const along = averaged(values, height, width, width, 1, BLUR[0]);
  return { width, height, values: averaged(along, width, height, 1, width, BLUR[1]) };
}

/** Running means over `reach` values either way along each of `lines` lines; both strides are in values. */
function averaged(values, lines, length, lineStride, stride, reach) {
  const means = new Float32Array(values.length);
  for (let line = 0; line < lines; line += 1) {
    for (let place = 0; place < length; place += 1) {
      const [first, last] = [Math.max(0, place - reach), Math.min(length - 1, place + reach)];
      let sum = 0;
      for (let each = first; each <= last; each += 1) sum += values[line * lineStride + each * stride];
      means[line * lineStride + place * stride] = sum / (last - first + 1);
    }
  }
  return means;
}

/** Colors to interpolate between: one end to the other, or below, equal and above. */
function stops(kind) {
  return kind === "level" ? MAGMA : [rgb("--below"), rgb("--equal"), rgb("--above")];
}

function colored(kind, value) {
  const colors = stops(kind);
  const position = Math.min(Math.max(value, 0), 1) * (colors.length - 1);
  const first = Math.min(Math.floor(position), colors.length - 2);
  return [0, 1, 2].map((each) => colors[first][each] + (colors[first + 1][each] - colors[first][each]) * (position - first));
}

function paint(canvas, picture, kind) {
  const table = Array.from({ length: 256 }, (_, place) => colored(kind, place / 255));
  const image = new ImageData(picture.width, picture.height);
  picture.values.forEach((value, place) => {
    const color = table[Math.round(Math.min(Math.max(value, 0), 1) * 255)];
    image.data.set([...color, 255], 4 * place);
  });
  canvas.width = picture.width;
  canvas.height = picture.height;
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/**
 * A picture with its axes.
 *
 * x, y: { label, to, divide }: axes run from 0 to `to`; ticks are divided by `divide`, as Hz to kHz.
 */
function heatmap(canvas, x, y, label) {
  fill(canvas, { role: "img", "aria-label": label }, []);
  const ticks = (axis, count) => evenTicks(0, axis.to / (axis.divide ?? 1), count).map((tick) => ({ ...tick, share: (100 * tick.value * (axis.divide ?? 1)) / axis.to }));
  const needle = el("div", { class: "needle", hidden: true });
  return el("div", { class: "heatmap" },
    el("div", { class: "ylabel", text: y.label }),
    el("div", { class: "yticks" }, ticks(y, 4).map((tick) => el("span", { style: { bottom: `${tick.share}%` }, text: tick.text }))),
    el("div", { class: "picture" }, canvas, needle),
    el("div", { class: "xticks" }, ticks(x, 5).map((tick) => el("span", { style: { left: `${tick.share}%` }, text: tick.text }))),
    el("div", { class: "xlabel", text: x.label }),
  );
}

/** The scale of colors, with its numbers. */
function colourBar(kind, label, ends) {
  const shades = Array.from({ length: 17 }, (_, place) => `rgb(${colored(kind, place / 16).map(Math.round).join(" ")})`);
  return el("figure", { class: "colors" },
    el("figcaption", { text: label }),
    el("div", { class: "shades", style: { background: `linear-gradient(to right, ${shades.join(", ")})` } }),
    el("div", { class: "ends" }, ends.map((end) => el("span", { text: end }))),
  );
}
