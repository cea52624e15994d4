// Charts with two axes: lines, points with intervals, and horizontal level lines, at the width of their box.

const MARGIN = { left: 52, right: 14, top: 10, bottom: 42 };

/**
 * Draw a chart into a box, and again whenever its width changes.
 *
 * spec: { label, height, x, y, lines, points, levels }
 *   x, y: { label, log, from, to, format }
 *   lines: [{ name, points: [[x, y or null]], color, dash, width, faint }]
 *   points: [{ x, y, interval, label, color, shape, hollow, title }]
 *   levels: [{ y, label, color, dash }], horizontal lines
 */
function chart(box, spec) {
  let width = 0;
  box.style.minHeight = `${spec.height}px`; // keeps the page from jumping while the chart is redrawn
  new ResizeObserver(() => {
    if (box.clientWidth && box.clientWidth !== width) {
      width = box.clientWidth;
      box.replaceChildren(renderChart(spec, width));
    }
  }).observe(box);
  return box;
}

function renderChart(spec, width) {
  const height = spec.height;
  const values = {
    x: [...(spec.lines ?? []).flatMap((line) => line.points.map(([x]) => x)), ...(spec.points ?? []).map((point) => point.x)],
    y: [
      ...(spec.lines ?? []).flatMap((line) => line.points.map(([, y]) => y).filter((y) => y !== null)),
      ...(spec.points ?? []).flatMap((point) => [point.y, ...(point.interval ?? [])]),
      ...(spec.levels ?? []).map((level) => level.y),
    ],
  };
  const x = scale(spec.x, values.x, MARGIN.left, width - MARGIN.right, Math.max(3, Math.floor(width / 110)));
  const y = scale(spec.y, values.y, height - MARGIN.bottom, MARGIN.top, Math.max(3, Math.floor(height / 55)));
  const root = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": spec.label });
  drawAxes(root, spec, x, y, width, height);
  // Labels must not cover the level lines.
  const occupied = (spec.levels ?? []).map((level) => ({ left: x.start, right: x.end, top: y.at(level.y) - 1, bottom: y.at(level.y) + 1 }));
  for (const level of spec.levels ?? []) drawLevel(root, level, x, y, occupied);
  for (const line of spec.lines ?? []) drawLine(root, line, x, y);
  for (const point of spec.points ?? []) {
    occupied.push({ left: x.at(point.x) - 7, right: x.at(point.x) + 7, top: y.at(point.y) - 7, bottom: y.at(point.y) + 7 });
  }
  for (const point of spec.points ?? []) drawPoint(root, point, x, y, occupied, width);
  return root;
}

/** Map values to pixels between two ends, with the ticks of the axis. */
function scale(axis, values, start, end, count) {
  const transform = axis.log ? Math.log10 : (value) => value;
  let low = transform(axis.from ?? Math.min(...values));
  let high = transform(axis.to ?? Math.max(...values));
  if (!(high > low)) [low, high] = [low - 0.5, low + 0.5];
  const slack = (high - low) * 0.06;
  if (axis.from === undefined) low -= slack;
  if (axis.to === undefined) high += slack;
  const at = (value) => start + ((transform(value) - low) / (high - low)) * (end - start);
  return { at, start, end, ticks: axis.log ? logTicks(low, high) : evenTicks(low, high, count) };
}

function evenTicks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const ticks = [];
  for (let index = Math.ceil(low / step); index * step <= high + step * 1e-9; index += 1) ticks.push(index * step);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return ticks.map((value) => ({ value, text: compact(value, digits) }));
}

function logTicks(low, high) {
  const factors = high - low > 2.5 ? [1] : high - low > 1.6 ? [1, 3] : high - low > 0.8 ? [1, 2, 5] : [1, 1.5, 2, 3, 5, 7];
  const ticks = [];
  for (let power = Math.floor(low); power <= high; power += 1) {
    for (const factor of factors) {
      const value = factor * 10 ** power;
      const exponent = Math.log10(value);
      if (exponent >= low && exponent <= high) ticks.push({ value, text: compact(value, Math.max(0, (factor % 1 ? 1 : 0) - power)) });
    }
  }
  return ticks;
}

/** Format a number with thousands as k, for training steps. */
function compact(value, digits) {
  const thousands = Math.abs(value) >= 10000;
  return number(thousands ? value / 1000 : value, thousands ? (value % 1000 ? 1 : 0) : digits) + (thousands ? " k" : "");
}

function drawAxes(root, spec, x, y, width, height) {
  for (const tick of y.ticks) {
    const at = y.at(tick.value);
    root.append(
      svg("line", { x1: x.start, x2: x.end, y1: at, y2: at, class: "grid" }),
      svg("text", { x: x.start - 7, y: at + 4, "text-anchor": "end", text: tick.text }),
    );
  }
  for (const tick of x.ticks) {
    const position = x.at(tick.value);
    root.append(
      svg("line", { x1: position, x2: position, y1: y.start, y2: y.start + 4, class: "axis" }),
      svg("text", { x: position, y: y.start + 17, "text-anchor": "middle", text: tick.text }),
    );
  }
  const middle = (y.start + y.end) / 2;
  root.append(
    svg("line", { x1: x.start, x2: x.end, y1: y.start, y2: y.start, class: "axis" }),
    svg("text", { x: (x.start + x.end) / 2, y: height - 6, "text-anchor": "middle", class: "label", text: spec.x.label }),
    svg("text", { x: 0, y: 0, transform: `translate(11 ${middle}) rotate(-90)`, "text-anchor": "middle", class: "label", text: spec.y.label }),
  );
}

function drawLine(root, line, x, y) {
  let path = "";
  let pen = false;
  for (const [at, value] of line.points) {
    if (value !== null) path += `${pen ? "L" : "M"}${x.at(at).toFixed(1)} ${y.at(value).toFixed(1)}`;
    pen = value !== null;
  }
  const style = { fill: "none", stroke: line.color, "stroke-width": line.width ?? 1.8, "stroke-dasharray": line.dash, opacity: line.faint ? 0.3 : 1 };
  root.append(svg("path", { d: path, "stroke-linejoin": "round", ...style }, svg("title", { text: line.name })));
}

function drawLevel(root, level, x, y, occupied) {
  const at = y.at(level.y);
  const text = svg("text", { class: "name", text: level.label, "text-anchor": "end" });
  root.append(svg("line", { x1: x.start, x2: x.end, y1: at, y2: at, stroke: level.color, "stroke-width": 1.5, "stroke-dasharray": level.dash || "5 4" }));
  placeLabel(text, [[x.end - 2, at - 6, "end"], [x.end - 2, at + 15, "end"], [x.start + 6, at - 6, "start"]], occupied, Infinity);
  root.append(text);
}

function drawPoint(root, point, x, y, occupied, width) {
  const [px, py] = [x.at(point.x), y.at(point.y)];
  if (point.interval) {
    const [low, high] = point.interval.map(y.at);
    root.append(svg("path", { d: `M${px} ${low}V${high}m-4 0h8M${px - 4} ${low}h8`, stroke: point.color, "stroke-width": 1.4, fill: "none" }));
  }
  const shape = marker(point.shape, px, py, point.color, point.hollow);
  shape.append(svg("title", { text: point.title }));
  const text = svg("text", { class: point.hollow ? "name soft" : "name", text: point.label });
  const spots = [[px + 11, py + 4, "start"], [px - 11, py + 4, "end"], [px, py - 12, "middle"], [px, py + 21, "middle"], [px + 9, py - 10, "start"], [px + 9, py + 19, "start"], [px - 9, py + 19, "end"], [px + 7, py - 12, "end"], [px + 7, py + 21, "end"]];
  placeLabel(text, spots, occupied, width);
  root.append(shape, text);
}

/** Move a label to the first position inside the chart where it covers nothing. */
function placeLabel(text, spots, occupied, width) {
  const textWidth = text.textContent.length * 7;
  const boxes = spots.map(([x, y, anchor]) => {
    const left = anchor === "start" ? x : anchor === "end" ? x - textWidth : x - textWidth / 2;
    return { left, right: left + textWidth, top: y - 11, bottom: y + 3 };
  });
  const overlaps = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  const inside = boxes.filter((box) => box.left > MARGIN.left && box.right < width);
  const best = inside.find((box) => !occupied.some((other) => overlaps(box, other))) ?? inside[0] ?? boxes[0];
  const [x, y, anchor] = spots[boxes.indexOf(best)];
  occupied.push(best);
  fill(text, { x, y, "text-anchor": anchor }, []);
}

/** A list of names with their lines or markers. */
function legend(entries) {
  const items = entries.map(({ name, style, hollow, line }) => {
    const stroke = { x1: 0, x2: 26, y1: 5, y2: 5, stroke: style.color, "stroke-width": 2.4, "stroke-dasharray": style.dash };
    const sample = line ? svg("svg", { class: "stroke", viewBox: "0 0 26 10", "aria-hidden": "true" }, svg("line", stroke)) : badge(style, hollow);
    return el("li", {}, sample, el("span", { text: name }));
  });
  return el("ul", { class: "legend" }, items);
}
