// The table of means or of differences from the baseline, and the scatter plot of quality against cost.

const COSTS = {
  rtf: { name: "Real-time factor", label: "real-time factor (compute seconds per second of audio, one thread)", of: (system) => DATA.timing[system.name] },
  gmac: { name: "GMAC/s of audio", label: "GMAC per second of audio", of: (system) => single(system.gmac_per_second) },
  parameters: { name: "Parameters (M)", label: "parameters (millions)", of: (system) => single(system.parameters === null ? null : system.parameters / 1e6) },
};

function single(value) {
  return value === null ? undefined : { mean: value, interval: null, clips: DATA.clip_count };
}

/** Names of the corpora, "all" first if there are several. */
function corpusNames() {
  const names = [...new Set(Object.values(DATA.summary).flatMap((corpora) => Object.keys(corpora)))];
  return names.includes("all") ? ["all", ...names.filter((name) => name !== "all")] : names;
}

function corpusLabel(name) {
  return name === "all" ? "all corpora" : name;
}

/** A table in a box that scrolls sideways; cells are elements or texts. */
function scrollingTable(caption, head, rows) {
  const heads = head.map((cell, index) => el("th", { scope: "col", class: index ? "" : "first", "aria-sort": cell.sort }, cell.content ?? cell));
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
  const significant = estimate.interval && Math.sign(estimate.interval[0]) * Math.sign(estimate.interval[1]) > 0;
  const better = estimate.mean > 0 === higherIsBetter;
  const [sign, text, kind] = !significant ? ["≈", "no clear difference", "soft"] : better ? ["▲", "better", "better"] : ["▼", "worse", "worse"];
  const lines = [el("span", { class: kind }, `${signed(estimate.mean)} `, el("span", { role: "img", "aria-label": text, title: text, text: sign }))];
  if (estimate.interval) lines.push(el("small", { text: estimate.interval.map(signed).join(" … ") }));
  return el("span", { class: "cell" }, lines);
}

/** Columns of the results table: the metrics, then the costs. */
function tableColumns(corpus) {
  const metrics = DATA.columns.map((metric) => ({
    title: `${withUnit(metric)} ${metric.higher_is_better ? "↑" : "↓"}`,
    higher: metric.higher_is_better,
    mean: (name) => DATA.summary[name]?.[corpus]?.[metric.name],
    difference: (name) => DATA.differences[name]?.[corpus]?.[metric.name],
  }));
  const costs = Object.values(COSTS).map((cost) => ({
    title: `${cost.name} ↓`,
    higher: false,
    mean: (name) => cost.of(DATA.systems.find((system) => system.name === name)),
  }));
  return [...metrics, ...costs.filter((cost) => DATA.systems.some((system) => cost.mean(system.name)))];
}

function clipCount(corpus) {
  const counts = Object.values(DATA.summary).flatMap((corpora) => Object.values(corpora[corpus] ?? {}).map((estimate) => estimate.clips));
  return Math.max(0, ...counts);
}

function buildResults() {
  const state = { corpus: corpusNames()[0], view: "means", sortColumn: null, descending: true };
  const box = el("div");
  const draw = () => box.replaceChildren(resultsTable(state, draw));
  const change = (name) => (value) => {
    state[name] = value;
    draw();
  };
  const toolbar = el("div", { class: "toolbar" },
    dropdown("Corpus", corpusNames(), state.corpus, change("corpus"), corpusNames().map(corpusLabel)),
    dropdown("Show", ["means", "differences"], "means", change("view"), ["means", `differences from ${DATA.baseline}`]),
  );
  section("results", "Results", toolbar, box);
  draw();
}

function resultsTable(state, draw) {
  const means = state.view === "means";
  const columns = tableColumns(state.corpus).filter((entry) => means || entry.difference);
  const value = (entry, name) => (means ? entry.mean(name) : entry.difference(name));
  const names = DATA.systems.map((system) => system.name).filter((name) => means || name !== DATA.baseline);
  if (state.sortColumn !== null && columns[state.sortColumn]) {
    const rank = (name) => (value(columns[state.sortColumn], name)?.mean ?? NaN) * (state.descending ? -1 : 1);
    names.sort((a, b) => (Number.isNaN(rank(a)) - Number.isNaN(rank(b))) || rank(a) - rank(b));
  }
  const sortBy = (index) => () => {
    state.descending = state.sortColumn === index ? !state.descending : true;
    state.sortColumn = index;
    draw();
    document.querySelectorAll("#results th button")[index].focus();
  };
  const head = columns.map((entry, index) => ({
    content: el("button", { type: "button", class: "sorter", onclick: sortBy(index), text: entry.title }),
    sort: state.sortColumn !== index ? undefined : state.descending ? "descending" : "ascending",
  }));
  const body = names.map((name) => [systemName(name), ...columns.map((entry) => resultCell(state, entry, name))]);
  const caption = means ? `Means of all metrics, ${corpusLabel(state.corpus)}` : `Differences from ${DATA.baseline}, ${corpusLabel(state.corpus)}`;
  const note = means
    ? "Mean over clips with its 95 % interval. ↑ higher is better, ↓ lower is better. Bold and underlined: the best system other than the recording."
    : `Mean of each system minus ${DATA.baseline} on the same clips, with its 95 % interval. ▲ better, ▼ worse, ≈ the interval contains zero.`;
  return el("div", {}, scrollingTable(caption, ["System", ...head], body), el("p", { class: "note", text: note }));
}

function resultCell(state, entry, name) {
  const values = DATA.systems.filter((system) => system.name !== REFERENCE).map((system) => entry.mean(system.name)?.mean).filter((mean) => mean !== undefined);
  const digits = digitsFor(Math.max(...values.map(Math.abs), 0));
  if (state.view !== "means") return differenceCell(entry.difference(name), digits + 1, entry.higher);
  const best = name !== REFERENCE && values.length > 1 && entry.mean(name)?.mean === (entry.higher ? Math.max(...values) : Math.min(...values));
  return meanCell(entry.mean(name), digits, best, clipCount(state.corpus));
}

function buildScatter() {
  const costs = Object.keys(COSTS).filter((key) => DATA.systems.some((system) => COSTS[key].of(system)));
  const state = { metric: firstMetric(), cost: costs.includes("gmac") ? "gmac" : costs[0], corpus: corpusNames()[0] };
  if (!costs.length) return;
  const box = el("div");
  const draw = () => box.replaceChildren(...scatter(state));
  const change = (name) => (value) => {
    state[name] = value;
    draw();
  };
  const toolbar = el("div", { class: "toolbar" },
    dropdown("Quality", DATA.columns.map((metric) => metric.name), state.metric, change("metric"), DATA.columns.map(withUnit)),
    dropdown("Cost", costs, state.cost, change("cost"), costs.map((key) => COSTS[key].name)),
    dropdown("Corpus", corpusNames(), state.corpus, change("corpus"), corpusNames().map(corpusLabel)),
  );
  section("speed", "Quality and cost", toolbar, el("div", { class: "card" }, box));
  draw();
}

function scatter(state) {
  const cost = COSTS[state.cost];
  const metric = column(state.metric);
  const points = [];
  const levels = [];
  for (const system of DATA.systems) {
    const quality = DATA.summary[system.name]?.[state.corpus]?.[state.metric];
    const style = systemLook(system.name);
    if (!quality) continue;
    const x = cost.of(system);
    const title = `${system.name}: ${state.metric} ${number(quality.mean, 3)}${x ? `, ${cost.name} ${number(x.mean, 3)}` : ""}`;
    if (x) points.push({ x: x.mean, y: quality.mean, interval: quality.interval, label: system.name, title, ...style });
    else levels.push({ y: quality.mean, label: system.name, ...style });
  }
  const published = state.cost === "gmac" && state.metric === "PESQ-WB" ? DATA.peers : [];
  for (const peer of published) {
    const title = `${peer.name}, published: PESQ ${peer.pesq_wb}, ${peer.gmac_per_second} GMAC per second of audio`;
    points.push({ x: peer.gmac_per_second, y: peer.pesq_wb, label: peer.name, title, hollow: true, color: "var(--soft)", shape: "circle" });
  }
  const spec = {
    label: `${state.metric} against ${cost.name}, ${points.length} systems`,
    height: 400,
    x: { label: cost.label, log: true },
    y: { label: `${withUnit(metric)}, ${metric.higher_is_better ? "higher" : "lower"} is better` },
    points,
    levels,
  };
  const box = chart(el("div", { class: "chart" }), spec);
  const keys = [{ name: "this comparison, with 95 % interval", style: { shape: "circle", color: "var(--ink)" } }];
  if (published.length) keys.push({ name: "published", style: { shape: "circle", color: "var(--soft)" }, hollow: true });
  if (levels.length) keys.push({ name: `no ${cost.name}: quality only`, style: { color: "var(--ink)", dash: "5 4" }, line: true });
  return [legend(keys), box, published.length ? publishedNote(published) : ""];
}

function publishedNote(published) {
  const sources = [...new Set(published.map((peer) => peer.source))].join("; ");
  return el("p", { class: "note" }, el("strong", { text: "Hollow markers are published results on other data and are not directly comparable. " }), `${sources}.`);
}
