// The table of all means, or of all differences from the baseline, and the scatter of quality against cost.

const COSTS = {
  rtf: { name: "Real-time factor", label: "real-time factor (seconds of computing per second of speech, one thread)", of: (system) => DATA.timing[system.name] },
  gmac: { name: "GMAC/s", label: "multiply-adds per second of speech (GMAC/s)", of: (system) => single(system.gmac_per_second) },
  parameters: { name: "Parameters (M)", label: "parameters (millions)", of: (system) => single(system.parameters === null ? null : system.parameters / 1e6) },
};

function single(value) {
  return value === null ? undefined : { mean: value, interval: null, clips: DATA.clips_measured };
}

/** The rows of the summary: every corpus, and all of them together. */
function corpusNames() {
  const names = [...new Set(Object.values(DATA.summary).flatMap((corpora) => Object.keys(corpora)))];
  return names.includes("all") ? ["all", ...names.filter((name) => name !== "all")] : names;
}

function corpusLabel(name) {
  return name === "all" ? "all corpora" : name;
}

/** A table in a box of its own that scrolls sideways; cells are elements or texts. */
function scrolling(caption, head, rows) {
  const heads = head.map((cell, place) => el("th", { scope: "col", class: place ? "" : "first", "aria-sort": cell.sort }, cell.content ?? cell));
  const lines = rows.map(([name, ...cells]) => el("tr", {}, el("th", { scope: "row", class: "first" }, name), cells.map((cell) => el("td", {}, cell))));
  const table = el("table", {}, el("caption", { class: "unseen", text: caption }), el("thead", {}, el("tr", {}, heads)), el("tbody", {}, lines));
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption }, table);
}

function systemName(name) {
  return el("span", { class: "system" }, badge(systemLook(name)), el("span", { text: name }));
}

function meanCell(estimate, digits, best, total) {
  if (!estimate) return el("span", { class: "soft", text: "–" });
  const lines = [el(best ? "strong" : "span", { class: best ? "best" : "", text: number(estimate.mean, digits) })];
  if (estimate.interval) lines.push(el("small", { text: estimate.interval.map((end) => number(end, digits)).join(" … ") }));
  if (estimate.clips < total) lines.push(el("small", { text: `${estimate.clips} of ${total} clips` }));
  return el("span", { class: "cell" }, lines);
}

function differenceCell(estimate, digits, higherIsBetter) {
  if (!estimate) return el("span", { class: "soft", text: "–" });
  const signed = (value) => (value > 0 ? "+" : "") + number(value, digits);
  const sure = estimate.interval && Math.sign(estimate.interval[0]) * Math.sign(estimate.interval[1]) > 0;
  const better = estimate.mean > 0 === higherIsBetter;
  const [sign, text, kind] = !sure ? ["≈", "no clear difference", "soft"] : better ? ["▲", "better", "better"] : ["▼", "worse", "worse"];
  const lines = [el("span", { class: kind }, `${signed(estimate.mean)} `, el("span", { role: "img", "aria-label": text, title: text, text: sign }))];
  if (estimate.interval) lines.push(el("small", { text: estimate.interval.map(signed).join(" … ") }));
  return el("span", { class: "cell" }, lines);
}

/** Columns of the big table: every measure, then what the systems cost. */
function tableColumns(corpus) {
  const measures = DATA.columns.map((each) => ({
    title: `${withUnit(each)} ${each.higher_is_better ? "↑" : "↓"}`,
    higher: each.higher_is_better,
    mean: (name) => DATA.summary[name]?.[corpus]?.[each.name],
    gap: (name) => DATA.differences[name]?.[corpus]?.[each.name],
  }));
  const costs = Object.values(COSTS).map((cost) => ({
    title: `${cost.name} ↓`,
    higher: false,
    mean: (name) => cost.of(DATA.systems.find((system) => system.name === name)),
  }));
  return [...measures, ...costs.filter((each) => DATA.systems.some((system) => each.mean(system.name)))];
}

function clipsOf(corpus) {
  const most = Object.values(DATA.summary).flatMap((corpora) => Object.values(corpora[corpus] ?? {}).map((each) => each.clips));
  return Math.max(0, ...most);
}

function buildResults() {
  const state = { corpus: corpusNames()[0], view: "means", sorted: null, down: true };
  const box = el("div");
  const draw = () => box.replaceChildren(resultsTable(state, draw));
  const change = (name) => (value) => {
    state[name] = value;
    draw();
  };
  const toolbar = el("div", { class: "toolbar" },
    choice("Corpus", corpusNames(), state.corpus, change("corpus"), corpusNames().map(corpusLabel)),
    choice("Show", ["means", "differences"], "means", change("view"), ["means", `differences from ${DATA.baseline}`]),
  );
  section("results", "Results", toolbar, box);
  draw();
}

function resultsTable(state, draw) {
  const means = state.view === "means";
  const columns = tableColumns(state.corpus).filter((each) => means || each.gap);
  const value = (each, name) => (means ? each.mean(name) : each.gap(name));
  const names = DATA.systems.map((system) => system.name).filter((name) => means || name !== DATA.baseline);
  if (state.sorted !== null && columns[state.sorted]) {
    const weight = (name) => (value(columns[state.sorted], name)?.mean ?? NaN) * (state.down ? -1 : 1);
    names.sort((a, b) => (Number.isNaN(weight(a)) - Number.isNaN(weight(b))) || weight(a) - weight(b));
  }
  const sortBy = (place) => () => {
    state.down = state.sorted === place ? !state.down : true;
    state.sorted = place;
    draw();
    document.querySelectorAll("#results th button")[place].focus();
  };
  const head = columns.map((each, place) => ({
    content: el("button", { type: "button", class: "sorter", onclick: sortBy(place), text: each.title }),
    sort: state.sorted !== place ? undefined : state.down ? "descending" : "ascending",
  }));
  const body = names.map((name) => [systemName(name), ...columns.map((each) => resultCell(state, each, name))]);
  const caption = means ? `Means of every measure, ${corpusLabel(state.corpus)}` : `Differences from ${DATA.baseline}, ${corpusLabel(state.corpus)}`;
  const note = means
    ? "Mean over clips, and under it the 95 % interval. ↑ more is better, ↓ less is better. Bold and underlined: the best system, the recording aside."
    : `Each system minus ${DATA.baseline} on the same clips, with the 95 % interval of the mean. ▲ better, ▼ worse, ≈ the interval holds zero.`;
  return el("div", {}, scrolling(caption, ["System", ...head], body), el("p", { class: "note", text: note }));
}

function resultCell(state, each, name) {
  const all = DATA.systems.filter((system) => system.name !== REFERENCE).map((system) => each.mean(system.name)?.mean).filter((mean) => mean !== undefined);
  const digits = digitsFor(Math.max(...all.map(Math.abs), 0));
  if (state.view !== "means") return differenceCell(each.gap(name), digits + 1, each.higher);
  const best = name !== REFERENCE && all.length > 1 && each.mean(name)?.mean === (each.higher ? Math.max(...all) : Math.min(...all));
  return meanCell(each.mean(name), digits, best, clipsOf(state.corpus));
}

function buildScatter() {
  const offered = Object.keys(COSTS).filter((key) => DATA.systems.some((system) => COSTS[key].of(system)));
  const state = { measure: firstMeasure(), cost: offered.includes("gmac") ? "gmac" : offered[0], corpus: corpusNames()[0] };
  if (!offered.length) return;
  const box = el("div");
  const draw = () => box.replaceChildren(...scatter(state));
  const change = (name) => (value) => {
    state[name] = value;
    draw();
  };
  const toolbar = el("div", { class: "toolbar" },
    choice("Quality", DATA.columns.map((each) => each.name), state.measure, change("measure"), DATA.columns.map(withUnit)),
    choice("Cost", offered, state.cost, change("cost"), offered.map((key) => COSTS[key].name)),
    choice("Corpus", corpusNames(), state.corpus, change("corpus"), corpusNames().map(corpusLabel)),
  );
  section("speed", "Quality and cost", toolbar, el("div", { class: "card" }, box));
  draw();
}

function scatter(state) {
  const cost = COSTS[state.cost];
  const measured = column(state.measure);
  const points = [];
  const levels = [];
  for (const system of DATA.systems) {
    const quality = DATA.summary[system.name]?.[state.corpus]?.[state.measure];
    const style = systemLook(system.name);
    if (!quality) continue;
    const price = cost.of(system);
    const title = `${system.name}: ${state.measure} ${number(quality.mean, 3)}${price ? `, ${cost.name} ${number(price.mean, 3)}` : ""}`;
    if (price) points.push({ x: price.mean, y: quality.mean, interval: quality.interval, label: system.name, title, ...style });
    else levels.push({ y: quality.mean, label: system.name, ...style });
  }
  const published = state.cost === "gmac" && state.measure === "PESQ-WB" ? DATA.peers : [];
  for (const peer of published) {
    const title = `${peer.name}, published: PESQ ${peer.pesq_wb}, ${peer.gmac_per_second} GMAC/s`;
    points.push({ x: peer.gmac_per_second, y: peer.pesq_wb, label: peer.name, title, hollow: true, color: "var(--soft)", shape: "circle" });
  }
  const spec = {
    label: `${state.measure} against ${cost.name}, ${points.length} systems`,
    height: 400,
    x: { label: cost.label, log: true },
    y: { label: `${withUnit(measured)}, ${measured.higher_is_better ? "more" : "less"} is better` },
    points,
    levels,
  };
  const box = chart(el("div", { class: "chart" }), spec);
  const keys = [{ name: "measured here, with 95 % interval", style: { shape: "circle", color: "var(--ink)" } }];
  if (published.length) keys.push({ name: "published by others", style: { shape: "circle", color: "var(--soft)" }, hollow: true });
  if (levels.length) keys.push({ name: `no ${cost.name} known: level only`, style: { color: "var(--ink)", dash: "5 4" }, line: true });
  return [legend(keys), box, published.length ? publishedNote(published) : ""];
}

function publishedNote(published) {
  const sources = [...new Set(published.map((peer) => peer.source))].join("; ");
  return el("p", { class: "note" }, el("strong", { text: "Hollow marks are published figures on other data and cannot be compared point by point with the filled ones. " }), `${sources}.`);
}
