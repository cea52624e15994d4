// The player: one clip at a time, all systems side by side, with shared transport controls.

const listen = { clip: 0, selected: null, entries: [], blind: null, suspendedBlind: null };
const player = { sounds: new Map(), current: null, seconds: 1 };

/** Load the sounds of a clip; entries are { id, output }. */
function loadSounds(entries, seconds) {
  for (const sound of player.sounds.values()) {
    sound.pause();
    URL.revokeObjectURL(sound.src);
  }
  player.seconds = seconds;
  player.current = null;
  player.sounds = new Map(entries.map(({ id, output }) => {
    const bytes = Uint8Array.from(atob(output.sound), (character) => character.charCodeAt(0));
    const source = URL.createObjectURL(new Blob([bytes], { type: "audio/mpeg" }));
    return [id, el("audio", { src: source, preload: "auto", onplay: follow, onpause: showTime, onseeked: showTime, onended: showTime })];
  }));
  document.getElementById("sounds").replaceChildren(...player.sounds.values());
}

function currentSound() {
  return player.sounds.get(player.current);
}

/** Switch to another system at the same position in the clip. */
function switchTo(id) {
  const [before, after] = [currentSound(), player.sounds.get(id)];
  player.current = id;
  if (!before || before === after) return;
  const playing = !before.paused;
  before.pause();
  after.currentTime = before.ended ? 0 : before.currentTime;
  if (playing) start(after);
}

function start(sound) {
  // Pausing before playback has started raises AbortError, which is expected.
  sound.play().catch((error) => {
    if (error.name !== "AbortError") throw error;
  });
}

function toggle() {
  const sound = currentSound();
  if (sound.paused) start(sound);
  else sound.pause();
}

function seek(seconds) {
  currentSound().currentTime = Math.min(Math.max(seconds, 0), player.seconds - 0.01);
  showTime();
}

function follow() {
  showTime();
  if (!currentSound().paused) requestAnimationFrame(follow);
}

function showTime() {
  const sound = currentSound();
  const time = Math.min(sound.currentTime, player.seconds);
  const slider = document.getElementById("seek");
  slider.value = time;
  slider.setAttribute("aria-valuetext", `${number(time, 1)} of ${number(player.seconds, 1)} seconds`);
  document.getElementById("time").textContent = `${number(time, 1)} / ${number(player.seconds, 1)} s`;
  const button = document.getElementById("play");
  button.textContent = sound.paused ? "▶" : "❚❚";
  button.setAttribute("aria-label", sound.paused ? "Play" : "Pause");
  for (const needle of document.querySelectorAll("#stage .needle")) {
    needle.hidden = time === 0;
    needle.style.left = `${(100 * time) / player.seconds}%`;
  }
}

/** Select the entry to play, by its id. */
function select(id) {
  switchTo(id);
  listen.selected = id;
  for (const radio of document.querySelectorAll("#systems input")) radio.checked = radio.value === id;
  for (const card of document.querySelectorAll("#stage [data-id]")) card.classList.toggle("selected", card.dataset.id === id);
  document.getElementById("pitch")?.replaceChildren(pitchChart(DATA.clips[listen.clip]));
  showTime();
}

function clipLabel(clip) {
  return `${clip.corpus} / ${clip.clip}`;
}

function buildListen() {
  const clips = dropdown("Clip", DATA.clips.map((_, index) => String(index)), "0", (value) => openClip(Number(value)), DATA.clips.map(clipLabel));
  const step = (by, text, label) => el("button", { type: "button", "aria-label": label, onclick: () => openClip(listen.clip + by), text });
  const toolbar = el("div", { class: "toolbar" },
    el("div", { class: "stepper" }, step(-1, "‹", "Previous clip"), clips, step(1, "›", "Next clip")),
    el("button", { type: "button", id: "blind", "aria-pressed": "false", onclick: () => (listen.blind ? endBlind() : startBlind()), text: "Blind test" }),
  );
  const slider = el("input", { type: "range", id: "seek", min: 0, step: 0.01, "aria-label": "Position in the clip", oninput: () => seek(Number(slider.value)) });
  const transport = el("div", { class: "transport", role: "group", "aria-label": "Player" },
    el("div", { class: "line" }, el("button", { type: "button", id: "play", class: "play", onclick: toggle }), slider, el("output", { id: "time" })),
    el("div", { class: "line wraps" }, el("div", { id: "systems", role: "radiogroup", "aria-label": "System to play" }),
      el("p", { class: "keys" }, ["1 – 9", "system", "space", "play", "← →", "half a second", "P N", "clip"].map((text, index) => (index % 2 ? ` ${text}  ` : el("kbd", { text }))))),
  );
  const box = section("listen", "Listen and look", toolbar, el("div", {}, el("div", { id: "stage" }), transport), el("div", { id: "sounds", hidden: true }));
  box.tabIndex = -1;
  document.addEventListener("keydown", (event) => onKey(event, box));
  openClip(0);
}

function openClip(index) {
  const focused = document.activeElement.closest("#systems, #stage");
  listen.clip = (index + DATA.clips.length) % DATA.clips.length;
  document.querySelector("#listen .stepper select").value = String(listen.clip);
  const clip = DATA.clips[listen.clip];
  listen.entries = listen.blind ? blindEntries(clip) : Object.entries(clip.outputs).map(([name, output]) => ({ id: name, output, style: systemLook(name) }));
  loadSounds(listen.entries, clip.seconds);
  fill(document.getElementById("seek"), { max: clip.seconds }, []);
  document.getElementById("systems").replaceChildren(...listen.entries.map(chip));
  const selected = listen.entries.some((entry) => entry.id === listen.selected) ? listen.selected : listen.entries[0].id;
  showClip();
  select(selected);
  // The focused element has been replaced; keep the keyboard at the selected system.
  if (focused) document.querySelector("#systems :checked").focus({ preventScroll: true });
}

/** Fill the stage: spectrograms with names, or unnamed sliders in the blind test. */
function showClip() {
  const clip = DATA.clips[listen.clip];
  document.getElementById("stage").replaceChildren(...(listen.blind ? blindStage(clip) : namedStage(clip)));
}

function chip(entry, index) {
  const radio = el("input", { type: "radio", name: "system", value: entry.id, onchange: () => select(entry.id) });
  return el("label", { class: "chip" }, radio, index < 9 ? el("kbd", { text: index + 1, "aria-hidden": "true" }) : null, entry.style ? badge(entry.style) : null, el("span", { text: entry.id }));
}

function namedStage(clip) {
  const metrics = DATA.columns.filter((metric) => Object.values(clip.scores).some((scores) => metric.name in scores));
  const cells = (name) => metrics.map((metric) => {
    const magnitudes = Object.values(clip.scores).map((scores) => Math.abs(scores[metric.name] ?? 0));
    const value = clip.scores[name]?.[metric.name];
    const reason = clip.failures[name]?.[metric.name] ?? clip.failures[name]?.clip;
    return value === undefined ? el("span", { class: "soft", title: reason, text: "–" }) : number(value, digitsFor(Math.max(...magnitudes)));
  });
  const heads = metrics.map((metric) => `${withUnit(metric)} ${metric.higher_is_better ? "↑" : "↓"}`);
  const rows = DATA.systems.map((system) => [systemName(system.name), ...cells(system.name)]);
  const styles = Object.keys(clip.outputs).map((name) => ({ name, style: systemLook(name), line: true }));
  return [
    el("div", { class: "scales" },
      colorBar("level", "Spectrogram: dB relative to the recording's loudest bin", [`−${DATA.range}`, `−${DATA.range / 2}`, "0 dB"]),
      colorBar("difference", "Difference: dB relative to the recording", [`−${DIFFERENCE_RANGE}`, "0", `+${DIFFERENCE_RANGE} dB`]),
    ),
    el("div", { class: "cards" }, listen.entries.map((entry) => systemCard(clip, entry))),
    el("div", { class: "card" }, el("h3", { text: "Pitch (F0, Harvest)" }), legend(styles), el("div", { id: "pitch" })),
    el("h3", { text: "Scores of the clip" }),
    scrollingTable(`Scores of ${clipLabel(clip)}`, ["System", ...heads], rows),
  ];
}

function systemCard(clip, entry) {
  const [spectrogram, differenceMap] = [el("canvas"), el("canvas")];
  const x = { label: "time (s)", to: clip.seconds };
  const y = { label: "frequency (kHz)", to: clip.hertz, divide: 1000 };
  const reference = spectrogramOf(clip, REFERENCE);
  const estimate = spectrogramOf(clip, entry.id);
  estimate.then((image) => paint(spectrogram, image, "level"));
  const maps = [heatmap(spectrogram, x, y, `Spectrogram of ${entry.id}`)];
  if (entry.id === REFERENCE) maps.push(el("p", { class: "aside", text: "The reference. The second spectrogram of each other system shows its difference from the recording." }));
  else {
    Promise.all([estimate, reference]).then(([a, b]) => paint(differenceMap, difference(a, b), "difference"));
    maps.push(heatmap(differenceMap, x, y, `Spectrogram of ${entry.id} minus the recording's`));
  }
  const metric = firstMetric();
  const score = clip.scores[entry.id]?.[metric];
  const head = el("header", {}, el("button", { type: "button", class: "play-system", "aria-label": `Play ${entry.id}`, onclick: () => playOrPause(entry.id), text: "▶" }),
    el("h3", {}, badge(entry.style), entry.id), el("span", { class: "soft", text: score === undefined ? "" : `${metric} ${number(score, 2)}` }));
  const card = el("article", { class: "card", "data-id": entry.id }, head, maps);
  for (const picture of card.querySelectorAll(".picture")) picture.addEventListener("click", (event) => jump(event, picture, entry.id));
  return card;
}

/** Play a system from the current position, or pause it. */
function playOrPause(id) {
  const wasCurrent = id === player.current;
  select(id);
  if (wasCurrent || currentSound().paused) toggle();
}

function jump(event, picture, id) {
  const { left, width } = picture.getBoundingClientRect();
  select(id);
  seek(((event.clientX - left) / width) * player.seconds);
}

const spectrograms = new Map(); // decoded images by clip and system

function spectrogramOf(clip, name) {
  const key = `${clipLabel(clip)} ${name}`;
  if (!spectrograms.has(key)) spectrograms.set(key, decodeImage(clip.outputs[name].spectrogram));
  return spectrograms.get(key);
}

function pitchChart(clip) {
  const lines = Object.entries(clip.outputs).reverse().map(([name, output]) => ({
    name,
    points: output.pitch.map((hertz, frame) => [frame * 0.01, hertz || null]),
    ...systemLook(name),
    width: name === REFERENCE ? 2.8 : 1.6,
    faint: name !== REFERENCE && name !== listen.selected && listen.selected !== REFERENCE,
  }));
  const spec = { label: "Pitch of all systems over time", height: 240, x: { label: "time (s)", from: 0, to: clip.seconds }, y: { label: "pitch (Hz)", log: true }, lines };
  return chart(el("div", { class: "chart" }), spec);
}

/** Keys while the player has the focus or is in view: digits select, space plays, arrows seek, P and N change the clip. */
function onKey(event, box) {
  const target = event.target;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (!box.contains(target) && !(target === document.body && inView(box))) return;
  if (target.matches("select, textarea, input[type=number], input[type=text]")) return;
  const action = actionOf(event.key, target);
  if (!action) return;
  event.preventDefault();
  action();
}

function actionOf(key, target) {
  const entry = /^[1-9]$/.test(key) ? listen.entries[Number(key) - 1] : undefined;
  if (entry) return () => select(entry.id);
  if (key === " " && !target.matches("button, summary, a")) return toggle;
  if (key === "p" || key === "n") return () => openClip(listen.clip + (key === "n" ? 1 : -1));
  const seconds = { ArrowLeft: -0.5, ArrowRight: 0.5 }[key];
  if (seconds && !target.matches("input")) return () => seek(currentSound().currentTime + seconds);
  return undefined;
}

function inView(box) {
  const { top, bottom } = box.getBoundingClientRect();
  return top < innerHeight / 2 && bottom > innerHeight / 2;
}
