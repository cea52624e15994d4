// The blind test after MUSHRA (ITU-R BS.1534): a named reference, and all systems including the recording unnamed.

const GRADES = ["bad", "poor", "fair", "good", "excellent"];

/** Generator of random numbers in [0, 1) from a seed (mulberry32). */
function seededRandom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The systems of a clip in random order; the first is stimulus A. */
function shuffle(names, seed, clipIndex) {
  const random = seededRandom(seed * 1009 + clipIndex);
  const order = [...names];
  for (let last = order.length - 1; last > 0; last -= 1) {
    const index = Math.floor(random() * (last + 1));
    [order[last], order[index]] = [order[index], order[last]];
  }
  return order;
}

function letter(index) {
  return String.fromCharCode(65 + index);
}

/** Start a test with a seed; without one, resume the suspended test, or start one with a random seed. */
function startBlind(seed) {
  const test = { seed: seed ?? crypto.getRandomValues(new Uint16Array(1))[0], answers: DATA.clips.map(() => new Map()) };
  listen.blind = seed === undefined ? (listen.suspendedBlind ?? test) : test;
  listen.selected = null;
  fill(document.getElementById("blind"), { "aria-pressed": "true" }, []).textContent = "Leave blind test";
  openClip(listen.blind === test ? 0 : listen.clip);
}

/** Suspend the test and show the names; the answers stay for when it resumes. */
function endBlind() {
  listen.suspendedBlind = listen.blind;
  listen.blind = null;
  listen.selected = null;
  fill(document.getElementById("blind"), { "aria-pressed": "false" }, []).textContent = "Blind test";
  openClip(listen.clip);
}

function blindEntries(clip) {
  const order = shuffle(Object.keys(clip.outputs), listen.blind.seed, DATA.clips.indexOf(clip));
  return [{ id: "Reference", output: clip.outputs[REFERENCE] }, ...order.map((name, index) => ({ id: letter(index), output: clip.outputs[name] }))];
}

function blindStage(clip) {
  const seed = el("input", { type: "number", min: 0, max: 65535, value: listen.blind.seed, onchange: () => startBlind(Number(seed.value)) });
  const text = "Rate the quality of each sound relative to the reference. One of them is the recording itself. Names, scores and spectrograms are hidden; the answer sheet names the systems.";
  return [
    el("div", { class: "card" },
      el("p", { text }),
      el("div", { class: "grades", "aria-hidden": "true" }, GRADES.map((grade) => el("span", { text: grade }))),
      listen.entries.slice(1).map((entry) => rating(entry.id)),
      el("p", { class: "progress", id: "progress", role: "status", text: progress() }),
      el("div", { class: "toolbar" },
        el("button", { type: "button", class: "strong", id: "sheet", onclick: download, text: "Download answers (CSV)" }),
        el("label", { class: "choice" }, el("span", { text: "Seed (a new one restarts the test)" }), seed),
      ),
    ),
  ];
}

function rating(id) {
  const answers = listen.blind.answers[listen.clip];
  const output = el("output", { text: answers.get(id) ?? "–" });
  const record = () => {
    answers.set(id, Number(slider.value));
    output.textContent = slider.value;
    row.classList.add("answered");
    document.getElementById("progress").textContent = progress();
  };
  const slider = el("input", { type: "range", min: 0, max: 100, step: 1, value: answers.get(id) ?? 50, "aria-label": `Score of ${id}, 0 bad to 100 excellent`, oninput: record, onclick: record });
  const row = el("div", { class: answers.has(id) ? "rating answered" : "rating", "data-id": id },
    el("button", { type: "button", class: "play-system", "aria-label": `Play ${id}`, onclick: () => playOrPause(id), text: id }), slider, output);
  return row;
}

function progress() {
  const ratings = listen.blind.answers.reduce((sum, answers) => sum + answers.size, 0);
  const sounds = DATA.clips.reduce((sum, clip) => sum + Object.keys(clip.outputs).length, 0);
  return `Clip ${listen.clip + 1} of ${DATA.clips.length} · ${ratings} of ${sounds} sounds rated`;
}

/** The answer sheet: one row per sound with its system; the score of an unrated sound is empty. */
function answerSheet() {
  const lines = [["data", "seed", "trial", "corpus", "clip", "stimulus", "system", "score"]];
  DATA.clips.forEach((clip, index) => {
    shuffle(Object.keys(clip.outputs), listen.blind.seed, index).forEach((name, position) => {
      const score = listen.blind.answers[index].get(letter(position)) ?? "";
      lines.push([DATA.data_hash, listen.blind.seed, index + 1, clip.corpus, clip.clip, letter(position), name, score]);
    });
  });
  return lines.map((line) => line.map(csvField).join(",")).join("\r\n") + "\r\n";
}

function csvField(value) {
  return /[",\r\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : String(value);
}

function download() {
  const source = URL.createObjectURL(new Blob([answerSheet()], { type: "text/csv" }));
  el("a", { href: source, download: `answers-${listen.blind.seed}.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(source), 10000);
}
