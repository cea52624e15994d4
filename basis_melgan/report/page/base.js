// What every part of the page stands on: the data, small builders of elements, numbers, and the look of a system.

const DATA = JSON.parse(document.getElementById("data").textContent);
const REFERENCE = "recording";
const SHAPES = ["circle", "square", "triangle", "diamond", "cross", "down"];
const DASHES = ["", "7 3", "2 3", "9 3 2 3", "4 2", "12 4"];

/** An element with properties; `class`, `text`, `on…` and attributes by their own names, then its children. */
function el(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** The same for SVG. */
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

/** A section of the page, entered into the navigation. */
function section(id, title, ...children) {
  document.getElementById("nav").append(el("a", { href: `#${id}`, text: title }));
  const box = el("section", { id, "aria-labelledby": `${id}-title` }, el("h2", { id: `${id}-title`, text: title }), children);
  document.getElementById("main").append(box);
  return box;
}

/** A labeled choice; `chosen` is called with the value. */
function choice(label, values, value, chosen, names = values) {
  const options = values.map((each, place) => el("option", { value: each, text: names[place], selected: each === value }));
  const select = el("select", { onchange: () => chosen(select.value) }, options);
  return el("label", { class: "choice" }, el("span", { text: label }), select);
}

/** A number with a true minus sign. */
function number(value, digits) {
  return value.toFixed(digits).replace(/^-(?=.*[1-9])/, "−").replace("-", "");
}

/** As many decimals as numbers of this size need. */
function digitsFor(size) {
  return size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
}

function withUnit(column) {
  return column.unit ? `${column.name} (${column.unit})` : column.name;
}

function column(name) {
  return DATA.columns.find((each) => each.name === name);
}

/** The measure that the page opens with: PESQ-WB where it was measured. */
function firstMeasure() {
  return (column("PESQ-WB") ?? DATA.columns[0]).name;
}

/** Color, marker and dashes of the nth of several things; the recording is always plain ink. */
function look(name, names) {
  if (name === REFERENCE) return { color: "var(--ink)", shape: "bar", dash: "" };
  const place = names.filter((each) => each !== REFERENCE).indexOf(name);
  return { color: `var(--hue-${place % 6})`, shape: SHAPES[place % 6], dash: DASHES[place % 6] };
}

function systemLook(name) {
  return look(name, DATA.systems.map((system) => system.name));
}

/** The color that a style variable has now, as red, green and blue. */
function rgb(variable) {
  const hex = getComputedStyle(document.documentElement).getPropertyValue(variable).trim();
  return [1, 3, 5].map((place) => parseInt(hex.slice(place, place + 2), 16));
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

/** A small picture of a system's marker, for legends and headings. */
function badge(style, hollow = false) {
  return svg("svg", { class: "badge", viewBox: "-8 -8 16 16", "aria-hidden": "true" }, marker(style.shape, 0, 0, style.color, hollow));
}
