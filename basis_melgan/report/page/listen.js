// Listening: one clip at a time, all systems side by side, one transport for all of them.

const listen = { clip: 0, chosen: null, entries: [], blind: null, left: null };
const player = { sounds: new Map(), current: null, seconds: 1 };

/** The sounds of a clip, ready to play: entries are { id, voice }. */
function loadSounds(entries, seconds) {
  for (const sound of player.sounds.values()) {
    sound.pause();
    URL.revokeObjectURL(sound.src);
  }
  player.seconds = seconds;
  player.current = null;
  player.sounds = new Map(entries.map(({ id, voice }) => {
    const bytes = Uint8Array.from(atob(voice.sound), (letter) => letter.charCodeAt(0));
    const source = URL.createObjectURL(new Blob([bytes], { type: "audio/mpeg" }));
    return [id, el("audio", { src: source, preload: "auto", onplay: follow, onpause: showTime, onseeked: showTime, onended: showTime })];
  }));
  document.getElementById("sounds").replaceChildren(...player.sounds.values());
}

function sounding() {
  return player.sounds.get(player.current);
}

/** Go over to another system without leaving the place in the clip. */
function switchTo(id) {
  const [before, after] = [sounding(), player.sounds.get(id)];
  player.current = id;
  if (!before || before === after) return;
  const playing = !before.paused;
  before.pause();
  after.currentTime = before.ended ? 0 : before.currentTime;
  if (playing) start(after);
}

function start(sound) {
  // A pause that follows at once is no fault.
  sound.play().catch((error) => {
    if (error.name !== "AbortError") throw error;
  });
}

function toggle() {
  const sound = sounding();
  if (sound.paused) start(sound);
  else sound.pause();
}

function seek(seconds) {
  sounding().currentTime = Math.min(Math.max(seconds, 0), player.seconds - 0.01);
  showTime();
}

function follow() {
  showTime();
  if (!sounding().paused) requestAnimationFrame(follow);
}

function showTime() {
  const sound = sounding();
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

/** Choose what is heard, by its id. */
function choose(id) {
  switchTo(id);
  listen.chosen = id;
  for (const radio of document.querySelectorAll("#systems input")) radio.checked = radio.value === id;
  for (const card of document.querySelectorAll("#stage [data-id]")) card.classList.toggle("chosen", card.dataset.id === id);
  document.getElementById("pitch")?.replaceChildren(pitchChart(DATA.clips[listen.clip]));
  showTime();
}

function clipLabel(clip) {
  return `${clip.corpus} / ${clip.clip}`;
}

function buildListen() {
  const place = choice("Clip", DATA.clips.map((_, index) => String(index)), "0", (value) => openClip(Number(value)), DATA.clips.map(clipLabel));
  const step = (by, text, label) => el("button", { type: "button", "aria-label": label, onclick: () => openClip(listen.clip + by), text });
  const toolbar = el("div", { class: "toolbar" },
    el("div", { class: "stepper" }, step(-1, "‹", "Previous clip"), place, step(1, "›", "Next clip")),
    el("button", { type: "button", id: "blind", "aria-pressed": "false", onclick: () => (listen.blind ? endBlind() : startBlind()), text: "Blind test" }),
  );
  const slider = el("input", { type: "range", id: "seek", min: 0, step: 0.01, "aria-label": "Position in the clip", oninput: () => seek(Number(slider.value)) });
  const transport = el("div", { class: "transport", role: "group", "aria-label": "Player" },
    el("div", { class: "line" }, el("button", { type: "button", id: "play", class: "play", onclick: toggle }), slider, el("output", { id: "time" })),
    el("div", { class: "line wraps" }, el("div", { id: "systems", role: "radiogroup", "aria-label": "System that is heard" }),
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
  listen.entries = listen.blind ? blindEntries(clip) : Object.entries(clip.voices).map(([name, voice]) => ({ id: name, voice, style: systemLook(name) }));
  loadSounds(listen.entries, clip.seconds);
  fill(document.getElementById("seek"), { max: clip.seconds }, []);
  document.getElementById("systems").replaceChildren(...listen.entries.map(chip));
  const kept = listen.entries.some((entry) => entry.id === listen.chosen) ? listen.chosen : listen.entries[0].id;
  showClip();
  choose(kept);
  // What had the focus is gone; a keyboard goes on from the chosen system.
  if (focused) document.querySelector("#systems :checked").focus({ preventScroll: true });
}

/** Fill the stage: pictures by name, or sliders without names. */
function showClip() {
  const clip = DATA.clips[listen.clip];
  document.getElementById("stage").replaceChildren(...(listen.blind ? blindStage(clip) : namedStage(clip)));
}

function chip(entry, index) {
  const radio = el("input", { type: "radio", name: "system", value: entry.id, onchange: () => choose(entry.id) });
  return el("label", { class: "chip" }, radio, index < 9 ? el("kbd", { text: index + 1, "aria-hidden": "true" }) : null, entry.style ? badge(entry.style) : null, el("span", { text: entry.id }));
}

function namedStage(clip) {
  const measures = DATA.columns.filter((each) => Object.values(clip.scores).some((scores) => each.name in scores));
  const cells = (name) => measures.map((each) => {
    const sizes = Object.values(clip.scores).map((scores) => Math.abs(scores[each.name] ?? 0));
    const value = clip.scores[name]?.[each.name];
    const reason = clip.failures[name]?.[each.name] ?? clip.failures[name]?.clip;
    return value === undefined ? el("span", { class: "soft", title: reason, text: "–" }) : number(value, digitsFor(Math.max(...sizes)));
  });
  const heads = measures.map((each) => `${withUnit(each)} ${each.higher_is_better ? "↑" : "↓"}`);
  const rows = DATA.systems.map((system) => [systemName(system.name), ...cells(system.name)]);
  const styles = Object.keys(clip.voices).map((name) => ({ name, style: systemLook(name), line: true }));
  return [
    el("div", { class: "scales" },
      colourBar("level", "Spectrogram: dB below the loudest spot of the recording", [`−${DATA.range}`, `−${DATA.range / 2}`, "0 dB"]),
      colourBar("difference", "Difference: dB above or below the recording", [`−${SPREAD}`, "0", `+${SPREAD} dB`]),
    ),
    el("div", { class: "cards" }, listen.entries.map((entry) => systemCard(clip, entry))),
    el("div", { class: "card" }, el("h3", { text: "Pitch (F0, Harvest)" }), legend(styles), el("div", { id: "pitch" })),
    el("h3", { text: "Scores of this clip" }),
    scrolling(`Scores of ${clipLabel(clip)}`, ["System", ...heads], rows),
  ];
}

function systemCard(clip, entry) {
  const [spectrum, gap] = [el("canvas"), el("canvas")];
  const x = { label: "time (s)", to: clip.seconds };
  const y = { label: "frequency (kHz)", to: clip.hertz, divide: 1000 };
  const reference = decodedVoice(clip, REFERENCE);
  const own = decodedVoice(clip, entry.id);
  own.then((picture) => paint(spectrum, picture, "level"));
  const maps = [heatmap(spectrum, x, y, `Spectrogram of ${entry.id}`)];
  if (entry.id === REFERENCE) maps.push(el("p", { class: "aside", text: "The reference: under the other systems stands how they differ from it." }));
  else {
    Promise.all([own, reference]).then(([a, b]) => paint(gap, difference(a, b), "difference"));
    maps.push(heatmap(gap, x, y, `Spectrogram of ${entry.id} minus the recording's`));
  }
  const measure = firstMeasure();
  const score = clip.scores[entry.id]?.[measure];
  const head = el("header", {}, el("button", { type: "button", class: "hear", "aria-label": `Play ${entry.id}`, onclick: () => hear(entry.id), text: "▶" }),
    el("h3", {}, badge(entry.style), entry.id), el("span", { class: "soft", text: score === undefined ? "" : `${measure} ${number(score, 2)}` }));
  const card = el("article", { class: "card", "data-id": entry.id }, head, maps);
  for (const picture of card.querySelectorAll(".picture")) picture.addEventListener("click", (event) => jump(event, picture, entry.id));
  return card;
}

/** Play a system from where the clip stands, or pause it. */
function hear(id) {
  const same = id === player.current;
  choose(id);
  if (same || sounding().paused) toggle();
}

function jump(event, picture, id) {
  const { left, width } = picture.getBoundingClientRect();
  choose(id);
  seek(((event.clientX - left) / width) * player.seconds);
}

const decodedVoices = new Map();

function decodedVoice(clip, name) {
  const key = `${clipLabel(clip)} ${name}`;
  if (!decodedVoices.has(key)) decodedVoices.set(key, decoded(clip.voices[name].spectrogram));
  return decodedVoices.get(key);
}

function pitchChart(clip) {
  const lines = Object.entries(clip.voices).reverse().map(([name, voice]) => ({
    name,
    points: voice.pitch.map((hertz, frame) => [frame * 0.01, hertz || null]),
    ...systemLook(name),
    width: name === REFERENCE ? 2.8 : 1.6,
    faint: name !== REFERENCE && name !== listen.chosen && listen.chosen !== REFERENCE,
  }));
  const spec = { label: "Pitch of every system over time", height: 240, x: { label: "time (s)", from: 0, to: clip.seconds }, y: { label: "pitch (Hz)", log: true }, lines };
  return chart(el("div", { class: "chart" }), spec);
}

/** Digits choose, space plays, arrows move, P and N change the clip, as long as listening is what the reader does. */
function onKey(event, box) {
  const target = event.target;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (!box.contains(target) && !(target === document.body && inView(box))) return;
  if (target.matches("select, textarea, input[type=number], input[type=text]")) return;
  const act = actionOf(event.key, target);
  if (!act) return;
  event.preventDefault();
  act();
}

function actionOf(key, target) {
  const entry = /^[1-9]$/.test(key) ? listen.entries[Number(key) - 1] : undefined;
  if (entry) return () => choose(entry.id);
  if (key === " " && !target.matches("button, summary, a")) return toggle;
  if (key === "p" || key === "n") return () => openClip(listen.clip + (key === "n" ? 1 : -1));
  const by = { ArrowLeft: -0.5, ArrowRight: 0.5 }[key];
  if (by && !target.matches("input")) return () => seek(sounding().currentTime + by);
  return undefined;
}

function inView(box) {
  const { top, bottom } = box.getBoundingClientRect();
  return top < innerHeight / 2 && bottom > innerHeight / 2;
}
