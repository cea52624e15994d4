// The page from top to bottom: summary, results, cost, clips, learning curves, bases, notes.

function buildLead() {
  const minutes = DATA.seconds / 60;
  const corpora = DATA.corpora.length === 1 ? `the corpus ${DATA.corpora[0]}` : `${DATA.corpora.length} corpora: ${DATA.corpora.join(", ")}`;
  const text = `${DATA.systems.length} systems resynthesize the same ${DATA.clip_count} recordings (${number(minutes, 1)} minutes): the ${DATA.split} split of ${corpora}. The baseline for differences is ${DATA.baseline}.`;
  document.getElementById("lead").textContent = text;
}

function buildCurves() {
  if (!DATA.curves.length) return;
  const runs = [...new Set(DATA.curves.flatMap((curve) => curve.series.map((series) => series.run)))];
  const charts = DATA.curves.map((curve) => {
    const values = curve.series.flatMap((series) => series.points.map(([, value]) => value)).filter((value) => value !== null);
    const log = values.length > 0 && Math.min(...values) > 0 && Math.max(...values) > 30 * Math.min(...values);
    const spec = {
      label: `${curve.name} over training steps`,
      height: 230,
      x: { label: "training step" },
      y: { label: curve.unit || "value, no unit", log },
      lines: curve.series.map((series) => ({ name: series.run, points: series.points, ...look(series.run, runs) })),
    };
    return el("div", { class: "card" }, el("h3", { text: curve.name }), chart(el("div", { class: "chart" }), spec));
  });
  const note = "Each point is the mean of a segment of the log; a gap is a value that is not finite.";
  section("training", "Learning curves", legend(runs.map((name) => ({ name, style: look(name, runs), line: true }))), el("div", { class: "cards" }, charts), el("p", { class: "note", text: note }));
}

function buildBases() {
  if (!DATA.bases.length) return;
  const cards = DATA.bases.map((basis) => {
    const canvas = el("canvas");
    decodeImage(basis.image).then((image) => paint(canvas, image, "level"));
    const x = { label: "atom, by peak frequency", to: basis.atoms };
    const y = { label: "frequency (kHz)", to: basis.hertz, divide: 1000 };
    return el("article", { class: "card" }, el("header", {}, el("h3", { text: basis.names.join(", ") }), el("span", { class: "soft", text: `${basis.atoms} atoms` })),
      heatmap(canvas, x, y, `Magnitude spectra of the basis of ${basis.names.join(", ")}`), waveforms(basis));
  });
  section("basis", "Basis", el("div", { class: "scales" }, colorBar("level", "Magnitude, relative to each atom's peak", ["0", "0.5", "1"])), el("div", { class: "cards wide" }, cards));
}

/** Waveforms of some atoms, each scaled to its own maximum. */
function waveforms(basis) {
  const milliseconds = (1000 * basis.seconds) / basis.waveforms[0].values.length;
  const figures = basis.waveforms.map((waveform) => {
    const top = Math.max(...waveform.values.map(Math.abs)) || 1;
    const path = waveform.values.map((value, index) => `${index ? "L" : "M"}${(100 * index) / (waveform.values.length - 1)} ${20 - (18 * value) / top}`).join("");
    const name = `${number(waveform.hertz / 1000, 2)} kHz`;
    return el("figure", {}, svg("svg", { viewBox: "0 0 100 40", preserveAspectRatio: "none", role: "img", "aria-label": `Atom with its peak at ${name}` },
      svg("path", { d: "M0 20H100", class: "grid" }), svg("path", { d: path, class: "wave" })), el("figcaption", { text: name }));
  });
  const text = `Waveforms of ${figures.length} atoms, ${number(milliseconds * basis.waveforms[0].values.length, 2)} ms long, each scaled to its own maximum, with the peak frequency of its spectrum.`;
  return el("div", {}, el("div", { class: "shapes" }, figures), el("p", { class: "note", text }));
}

function buildNotes() {
  const sources = DATA.systems.map((system) => [system.name, system.source]);
  const failures = DATA.failures.map((failure) => el("li", { text: `${failure.system}, ${failure.corpus} / ${failure.clip}, ${failure.metric}: ${failure.reason}` }));
  const notes = [
    "Sounds on this page are MP3 at about 50 kbit/s to keep it small. The evaluated waves are next to results.json; use them for critical listening.",
    `Spectrograms are computed before MP3 compression with Hann windows of 32 ms every 10 ms. All systems of a clip share one scale, from the recording's loudest bin to ${DATA.range} dB below it; the images have an error of 1 to 2 dB. A difference is the system's level minus the recording's, both limited to the scale and averaged over 50 ms and three rows (a 64th of the band), because single bins of two syntheses always differ.`,
    "Pitch is estimated by Harvest every 10 ms; gaps are unvoiced.",
    `Split ${DATA.split}; data hash ${DATA.data_hash}; basis-melgan ${DATA.basis_melgan}.`,
  ];
  section("notes", "Notes",
    el("ul", { class: "notes" }, notes.map((text) => el("li", { text }))),
    el("h3", { text: "Systems" }),
    el("ul", { class: "notes plain" }, sources.map(([name, source]) => el("li", {}, systemName(name), name === source ? "" : `: ${source}`))),
    failures.length ? el("details", {}, el("summary", { text: `Missing scores: ${failures.length}` }), el("ul", { class: "notes" }, failures)) : el("p", { class: "note", text: "No score is missing." }),
  );
}

/** The switch between light and dark; the operating system's setting is the default. */
function buildTheme() {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const button = document.getElementById("theme");
  let override = null;
  const apply = () => {
    const theme = override ?? (system.matches ? "dark" : "light");
    document.documentElement.dataset.theme = theme;
    button.textContent = theme === "dark" ? "☀ Light" : "☾ Dark";
    button.setAttribute("aria-label", theme === "dark" ? "Use light colors" : "Use dark colors");
    return theme;
  };
  button.addEventListener("click", () => {
    override = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    apply();
    repaint();
  });
  system.addEventListener("change", () => {
    apply();
    repaint();
  });
  apply();
}

/** Redraw the canvases, which do not follow the style sheet. */
function repaint() {
  showClip();
  select(listen.selected);
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
