// The page from top to bottom: what was compared, results, cost, listening, learning curves, bases, notes.

function buildLead() {
  const minutes = DATA.seconds_measured / 60;
  const corpora = DATA.corpora.length === 1 ? `the corpus ${DATA.corpora[0]}` : `${DATA.corpora.length} corpora: ${DATA.corpora.join(", ")}`;
  const text = `${DATA.systems.length} systems speak the same ${DATA.clips_measured} recordings (${number(minutes, 1)} minutes) again: the ${DATA.split} split of ${corpora}. Differences are taken from ${DATA.baseline}.`;
  document.getElementById("lead").textContent = text;
}

function buildCurves() {
  if (!DATA.curves.length) return;
  const runs = [...new Set(DATA.curves.flatMap((curve) => curve.series.map((each) => each.run)))];
  const charts = DATA.curves.map((curve) => {
    const values = curve.series.flatMap((each) => each.points.map(([, value]) => value)).filter((value) => value !== null);
    const log = values.length > 0 && Math.min(...values) > 0 && Math.max(...values) > 30 * Math.min(...values);
    const spec = {
      label: `${curve.name} over training steps`,
      height: 230,
      x: { label: "training step" },
      y: { label: curve.unit || "value, no unit", log },
      lines: curve.series.map((each) => ({ name: each.run, points: each.points, ...look(each.run, runs) })),
    };
    return el("div", { class: "card" }, el("h3", { text: curve.name }), chart(el("div", { class: "chart" }), spec));
  });
  const note = "Each point is the mean of a stretch of the log; a gap is a value that was not finite.";
  section("training", "Learning curves", legend(runs.map((name) => ({ name, style: look(name, runs), line: true }))), el("div", { class: "cards" }, charts), el("p", { class: "note", text: note }));
}

function buildBases() {
  if (!DATA.bases.length) return;
  const cards = DATA.bases.map((basis) => {
    const canvas = el("canvas");
    decoded(basis.picture).then((picture) => paint(canvas, picture, "level"));
    const x = { label: "basis signal, by peak frequency", to: basis.signals };
    const y = { label: "frequency (kHz)", to: basis.hertz, divide: 1000 };
    return el("article", { class: "card" }, el("header", {}, el("h3", { text: basis.names.join(", ") }), el("span", { class: "soft", text: `${basis.signals} signals` })),
      heatmap(canvas, x, y, `Magnitude spectra of the basis of ${basis.names.join(", ")}`), shapes(basis));
  });
  section("basis", "Basis", el("div", { class: "scales" }, colourBar("level", "Magnitude, relative to each signal's peak", ["0", "0.5", "1"])), el("div", { class: "cards wide" }, cards));
}

/** Some basis signals over time, each to its own height. */
function shapes(basis) {
  const milliseconds = (1000 * basis.seconds) / basis.shapes[0].values.length;
  const figures = basis.shapes.map((shape) => {
    const top = Math.max(...shape.values.map(Math.abs)) || 1;
    const path = shape.values.map((value, index) => `${index ? "L" : "M"}${(100 * index) / (shape.values.length - 1)} ${20 - (18 * value) / top}`).join("");
    const name = `${number(shape.hertz / 1000, 2)} kHz`;
    return el("figure", {}, svg("svg", { viewBox: "0 0 100 40", preserveAspectRatio: "none", role: "img", "aria-label": `Basis signal with its peak at ${name}` },
      svg("path", { d: "M0 20H100", class: "grid" }), svg("path", { d: path, class: "wave" })), el("figcaption", { text: name }));
  });
  const text = `Eight of them over time, each ${number(milliseconds * basis.shapes[0].values.length, 2)} ms long and drawn to its own height, under it where its spectrum peaks.`;
  return el("div", {}, el("div", { class: "shapes" }, figures), el("p", { class: "note", text }));
}

function buildNotes() {
  const costs = DATA.systems.map((system) => [system.name, system.source]);
  const lost = DATA.failures.map((each) => el("li", { text: `${each.system}, ${each.corpus} / ${each.clip}, ${each.metric}: ${each.reason}` }));
  const notes = [
    "Sounds here are MP3 of about 50 kbit/s, so that the page stays small; the waves that were measured lie beside results.json, and fine judgements should be made on them.",
    `Spectrograms are drawn from the waves before compression: Hann windows of 32 ms every 10 ms, from the loudest spot of the recording to ${DATA.range} dB below it, one scale for all systems of a clip. The pictures are stored with an error of 1 to 2 dB. A difference is the system's level minus the recording's, both cut off at the lower end, and averaged over 50 ms and three rows (a 64th of the band), since single spots of two renderings always differ.`,
    "Pitch is Harvest's every 10 ms; gaps are unvoiced.",
    `Split ${DATA.split}; data ${DATA.data}; basis-melgan ${DATA.basis_melgan}.`,
  ];
  section("notes", "Notes",
    el("ul", { class: "notes" }, notes.map((text) => el("li", { text }))),
    el("h3", { text: "Systems" }),
    el("ul", { class: "notes plain" }, costs.map(([name, source]) => el("li", {}, systemName(name), name === source ? "" : `: ${source}`))),
    lost.length ? el("details", {}, el("summary", { text: `Not scored: ${lost.length}` }), el("ul", { class: "notes" }, lost)) : el("p", { class: "note", text: "Every clip could be scored by every measure." }),
  );
}

/** Light or dark: the reader's system decides until the reader does. */
function buildTheme() {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const button = document.getElementById("theme");
  let own = null;
  const apply = () => {
    const theme = own ?? (system.matches ? "dark" : "light");
    document.documentElement.dataset.theme = theme;
    button.textContent = theme === "dark" ? "☀ Light" : "☾ Dark";
    button.setAttribute("aria-label", theme === "dark" ? "Use light colors" : "Use dark colors");
    return theme;
  };
  button.addEventListener("click", () => {
    own = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    apply();
    repaint();
  });
  system.addEventListener("change", () => {
    apply();
    repaint();
  });
  apply();
}

/** Draw again what took its colors from the style when it was drawn. */
function repaint() {
  showClip();
  choose(listen.chosen);
}

buildTheme();
buildLead();
buildResults();
buildScatter();
buildListen();
buildCurves();
buildBases();
buildNotes();
document.getElementById("footer").textContent = `basis-melgan ${DATA.basis_melgan}`;
