// The blind test, after MUSHRA (ITU-R BS.1534): a named reference, and all systems, the recording among them, unnamed.

const GRADES = ["bad", "poor", "fair", "good", "excellent"];

/** Numbers in [0, 1) that a seed repeats (mulberry32). */
function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The systems of a clip in the order of the test: stimulus A is the first. */
function shuffled(names, seed, clipIndex) {
  const draw = seeded(seed * 1009 + clipIndex);
  const order = [...names];
  for (let last = order.length - 1; last > 0; last -= 1) {
    const other = Math.floor(draw() * (last + 1));
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
}

function letter(index) {
  return String.fromCharCode(65 + index);
}

/** Begin a test with a seed; without one, go on with the test that was left, or draw a seed. */
function startBlind(seed) {
  const drawn = seed ?? crypto.getRandomValues(new Uint16Array(1))[0];
  const begun = { seed: drawn, answers: DATA.clips.map(() => new Map()) };
  listen.blind = seed === undefined ? (listen.left ?? begun) : begun;
  listen.chosen = null;
  fill(document.getElementById("blind"), { "aria-pressed": "true" }, []).textContent = "Leave blind test";
  openClip(listen.blind === begun ? 0 : listen.clip);
}

/** Show the names again; the answers are kept for when the test is taken up again. */
function endBlind() {
  listen.left = listen.blind;
  listen.blind = null;
  listen.chosen = null;
  fill(document.getElementById("blind"), { "aria-pressed": "false" }, []).textContent = "Blind test";
  openClip(listen.clip);
}

function blindEntries(clip) {
  const order = shuffled(Object.keys(clip.voices), listen.blind.seed, DATA.clips.indexOf(clip));
  return [{ id: "Reference", voice: clip.voices[REFERENCE] }, ...order.map((name, index) => ({ id: letter(index), voice: clip.voices[name] }))];
}

function blindStage(clip) {
  const seed = el("input", { type: "number", min: 0, max: 65535, value: listen.blind.seed, onchange: () => startBlind(Number(seed.value)) });
  const text = "How good is each sound, compared with the reference? One of them is the recording itself. Names, scores and pictures are hidden; the answer sheet holds them.";
  return [
    el("div", { class: "card" },
      el("p", { text }),
      el("div", { class: "grades", "aria-hidden": "true" }, GRADES.map((grade) => el("span", { text: grade }))),
      listen.entries.slice(1).map((entry) => rating(entry.id)),
      el("p", { class: "progress", id: "progress", role: "status", text: progress() }),
      el("div", { class: "toolbar" },
        el("button", { type: "button", class: "strong", id: "sheet", onclick: download, text: "Download answers (CSV)" }),
        el("label", { class: "choice" }, el("span", { text: "Seed (a new one starts again)" }), seed),
      ),
    ),
  ];
}

function rating(id) {
  const answers = listen.blind.answers[listen.clip];
  const output = el("output", { text: answers.get(id) ?? "–" });
  const answer = () => {
    answers.set(id, Number(slider.value));
    output.textContent = slider.value;
    row.classList.add("answered");
    document.getElementById("progress").textContent = progress();
  };
  const slider = el("input", { type: "range", min: 0, max: 100, step: 1, value: answers.get(id) ?? 50, "aria-label": `Score of ${id}, 0 bad to 100 excellent`, oninput: answer, onclick: answer });
  const row = el("div", { class: answers.has(id) ? "rating answered" : "rating", "data-id": id },
    el("button", { type: "button", class: "hear", "aria-label": `Play ${id}`, onclick: () => hear(id), text: id }), slider, output);
  return row;
}

function progress() {
  const given = listen.blind.answers.reduce((sum, answers) => sum + answers.size, 0);
  const all = DATA.clips.reduce((sum, clip) => sum + Object.keys(clip.voices).length, 0);
  return `Clip ${listen.clip + 1} of ${DATA.clips.length} · ${given} of ${all} sounds scored`;
}

/** The answer sheet: one line per sound, the key included; what was not scored is left empty. */
function answerSheet() {
  const lines = [["data", "seed", "trial", "corpus", "clip", "stimulus", "system", "score"]];
  DATA.clips.forEach((clip, index) => {
    shuffled(Object.keys(clip.voices), listen.blind.seed, index).forEach((name, place) => {
      const score = listen.blind.answers[index].get(letter(place)) ?? "";
      lines.push([DATA.data, listen.blind.seed, index + 1, clip.corpus, clip.clip, letter(place), name, score]);
    });
  });
  return lines.map((line) => line.map(quoted).join(",")).join("\r\n") + "\r\n";
}

function quoted(value) {
  return /[",\r\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : String(value);
}

function download() {
  const source = URL.createObjectURL(new Blob([answerSheet()], { type: "text/csv" }));
  el("a", { href: source, download: `answers-${listen.blind.seed}.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(source), 10000);
}
