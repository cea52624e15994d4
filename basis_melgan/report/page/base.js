// Shared by all parts of the page: data, element builders, number formats, and the style of each system.

const DATA = JSON.parse(document.getElementById("data").textContent);
const REFERENCE = "recording";
const SHAPES = ["circle", "square", "triangle", "diamond", "cross", "down"];
const DASHES = ["", "7 3", "2 3", "9 3 2 3", "4 2", "12 4"];

/** Create an HTML element from properties (`text`, `style`, `on…` handlers, attributes) and children. */
function el(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** Create an SVG element likewise. */
function svg(tag, properties = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "text") element.textContent = value;
    else if (name === "style") Object.assign(element.style, value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Add a section to the page and to the navigation. */
function section(id, title, ...children) {
  document.getElementById("nav").append(el("a", { href: `#${id}`, text: title }));
  const box = el("section", { id, "aria-labelledby": `${id}-title` }, el("h2", { id: `${id}-title`, text: title }), children);
  document.getElementById("main").append(box);
  return box;
}

/** A labeled drop-down list; `onSelect` receives the new value. */
function dropdown(label, values, value, onSelect, names = values) {
  const options = values.map((option, index) => el("option", { value: option, text: names[index], selected: option === value }));
  const list = el("select", { onchange: () => onSelect(list.value) }, options);
  return el("label", { class: "choice" }, el("span", { text: label }), list);
}

/** Format a number with a typographic minus sign. */
function number(value, digits) {
  return value.toFixed(digits).replace(/^-(?=.*[1-9])/, "−").replace("-", "");
}

/** Number of decimals for numbers of this magnitude. */
function digitsFor(size) {
  return size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
}

function withUnit(column) {
  return column.unit ? `${column.name} (${column.unit})` : column.name;
}

function column(name) {
  return DATA.columns.find((entry) => entry.name === name);
}

/** The metric shown first: PESQ-WB if available. */
function firstMetric() {
  return (column("PESQ-WB") ?? DATA.columns[0]).name;
}

/** Color, marker and dash pattern of a name among several; the recording is always plain ink. */
function look(name, names) {
  if (name === REFERENCE) return { color: "var(--ink)", shape: "bar", dash: "" };
  const index = names.filter((other) => other !== REFERENCE).indexOf(name);
  return { color: `var(--hue-${index % 6})`, shape: SHAPES[index % 6], dash: DASHES[index % 6] };
}

function systemLook(name) {
  return look(name, DATA.systems.map((system) => system.name));
}

/** Current value of a color variable as red, green and blue. */
function rgb(variable) {
  const hex = getComputedStyle(document.documentElement).getPropertyValue(variable).trim();
  return [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16));
}

/** A marker centered at x, y. */
function marker(shape, x, y, color, hollow = false) {
  const size = 5.5;
  const paint = { fill: hollow ? "var(--card)" : color, stroke: color, "stroke-width": 1.8 };
  const points = {
    triangle: [[0, -size], [size, size * 0.8], [-size, size * 0.8]],
    down: [[0, size], [size, -size * 0.8], [-size, -size * 0.8]],
    diamond: [[0, -size * 1.2], [size * 1.2, 0], [0, size * 1.2], [-size * 1.2, 0]],
    square: [[-size, -size], [size, -size], [size, size], [-size, size]].map((pair) => pair.map((value) => value * 0.85)),
    bar: [[-size, -1.5], [size, -1.5], [size, 1.5], [-size, 1.5]],
  }[shape];
  if (shape === "circle") return svg("circle", { cx: x, cy: y, r: size * 0.9, ...paint });
  if (shape === "cross") {
    const path = `M${x - 4.5} ${y - 4.5}l9 9m0-9l-9 9`;
    return svg("path", { d: path, fill: "none", stroke: color, "stroke-width": hollow ? 1.8 : 3 });
  }
  return svg("polygon", { points: points.map(([dx, dy]) => `${x + dx},${y + dy}`).join(" "), ...paint });
}

/** A system's marker for legends and headings. */
function badge(style, hollow = false) {
  return svg("svg", { class: "badge", viewBox: "-8 -8 16 16", "aria-hidden": "true" }, marker(style.shape, 0, 0, style.color, hollow));
}
