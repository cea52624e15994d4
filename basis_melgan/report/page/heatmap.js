// Heat maps with axes: the page's data has gray values, which are colored here.

const MAGMA = DATA.colors.map((hex) => [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16)));
const DIFFERENCE_RANGE = 20; // largest difference in dB that the colors show
const BLUR = [2, 1]; // columns and rows on either side over which a difference is averaged

/** Decode an image of the page's data to gray values: { width, height, values }. */
async function decodeImage(base64) {
  const image = new Image();
  image.src = `data:image/webp;base64,${base64}`;
  await image.decode();
  const canvas = el("canvas", { width: image.naturalWidth, height: image.naturalHeight });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const { data, width, height } = context.getImageData(0, 0, canvas.width, canvas.height);
  return { width, height, values: Float32Array.from({ length: width * height }, (_, index) => data[4 * index + 1] / 255) };
}

/** A minus b in dB, averaged over neighbors, scaled so that 0 dB is ½ and `DIFFERENCE_RANGE` dB is 1. */
function difference(a, b) {
  const [width, height] = [Math.min(a.width, b.width), a.height];
  const values = new Float32Array(width * height);
  for (let row = 0; row < height; row += 1) {
    for (let x = 0; x < width; x += 1) {
      const decibels = (a.values[row * a.width + x] - b.values[row * b.width + x]) * DATA.range;
      values[row * width + x] = 0.5 + decibels / (2 * DIFFERENCE_RANGE);
    }
  }
  const smoothed = movingAverage(values, height, width, width, 1, BLUR[0]);
  return { width, height, values: movingAverage(smoothed, width, height, 1, width, BLUR[1]) };
}

/** Moving average over `reach` values on either side along each of `lines` lines; both strides are in values. */
function movingAverage(values, lines, length, lineStride, stride, reach) {
  const means = new Float32Array(values.length);
  for (let line = 0; line < lines; line += 1) {
    for (let position = 0; position < length; position += 1) {
      const [first, last] = [Math.max(0, position - reach), Math.min(length - 1, position + reach)];
      let sum = 0;
      for (let index = first; index <= last; index += 1) sum += values[line * lineStride + index * stride];
      means[line * lineStride + position * stride] = sum / (last - first + 1);
    }
  }
  return means;
}

/** Colors to interpolate between: of a level, or of a difference below, at and above zero. */
function colorStops(kind) {
  return kind === "level" ? MAGMA : [rgb("--below"), rgb("--equal"), rgb("--above")];
}

function interpolateColor(kind, value) {
  const colors = colorStops(kind);
  const position = Math.min(Math.max(value, 0), 1) * (colors.length - 1);
  const first = Math.min(Math.floor(position), colors.length - 2);
  return [0, 1, 2].map((channel) => colors[first][channel] + (colors[first + 1][channel] - colors[first][channel]) * (position - first));
}

function paint(canvas, image, kind) {
  const table = Array.from({ length: 256 }, (_, level) => interpolateColor(kind, level / 255));
  const pixels = new ImageData(image.width, image.height);
  image.values.forEach((value, index) => {
    const color = table[Math.round(Math.min(Math.max(value, 0), 1) * 255)];
    pixels.data.set([...color, 255], 4 * index);
  });
  canvas.width = image.width;
  canvas.height = image.height;
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

/**
 * A heat map with axes.
 *
 * x, y: { label, to, divide }: axes run from 0 to `to`; tick values are divided by `divide`, such as from Hz to kHz.
 */
function heatmap(canvas, x, y, label) {
  fill(canvas, { role: "img", "aria-label": label }, []);
  const ticks = (axis, count) => evenTicks(0, axis.to / (axis.divide ?? 1), count).map((tick) => ({ ...tick, percent: (100 * tick.value * (axis.divide ?? 1)) / axis.to }));
  const needle = el("div", { class: "needle", hidden: true });
  return el("div", { class: "heatmap" },
    el("div", { class: "ylabel", text: y.label }),
    el("div", { class: "yticks" }, ticks(y, 4).map((tick) => el("span", { style: { bottom: `${tick.percent}%` }, text: tick.text }))),
    el("div", { class: "picture" }, canvas, needle),
    el("div", { class: "xticks" }, ticks(x, 5).map((tick) => el("span", { style: { left: `${tick.percent}%` }, text: tick.text }))),
    el("div", { class: "xlabel", text: x.label }),
  );
}

/** A color bar with the values of its ends and its middle. */
function colorBar(kind, label, ends) {
  const shades = Array.from({ length: 17 }, (_, index) => `rgb(${interpolateColor(kind, index / 16).map(Math.round).join(" ")})`);
  return el("figure", { class: "colors" },
    el("figcaption", { text: label }),
    el("div", { class: "shades", style: { background: `linear-gradient(to right, ${shades.join(", ")})` } }),
    el("div", { class: "ends" }, ends.map((end) => el("span", { text: end }))),
  );
}
