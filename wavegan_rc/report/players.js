"use strict";

const one = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// Plays single windows, which must begin and end on the sample; <audio> cannot do that.
// The context is made at the first click, since browsers forbid sound before.
let context = null;
let current = null;
const decoded = new Map();

function audioContext() {
  context ??= new AudioContext();
  context.resume();
  return context;
}

function stopWindows() {
  const { source, ended } = current ?? {};
  current = null;
  source?.stop();
  ended?.();
}

function stopPlaying() {
  all("audio").forEach((audio) => audio.pause());
  stopWindows();
}

// Decodes the whole recording of a player, once.
function decodedSound(sound) {
  if (!decoded.has(sound)) {
    const encoded = one("audio", sound.figure).src.split(",")[1];
    const bytes = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
    decoded.set(sound, audioContext().decodeAudioData(bytes.buffer));
  }
  return decoded.get(sound);
}

// Returns a buffer of some windows of a sound, in a row.
async function joinedWindows(sound, indices) {
  const whole = await decodedSound(sound);
  const length = Math.floor(sound.windowSeconds * whole.sampleRate);
  const joined = audioContext().createBuffer(1, length * indices.length, whole.sampleRate);
  const samples = whole.getChannelData(0);
  indices.forEach((index, place) => {
    const start = Math.round(index * sound.windowSeconds * whole.sampleRate);
    joined.copyToChannel(samples.subarray(start, start + length), 0, place * length);
  });
  return joined;
}

// Plays windows alone. Calls `moved` with the seconds since the start, and `ended` at the end.
async function playWindows(sound, indices, { gain = 1, moved = () => {}, ended = () => {} } = {}) {
  stopPlaying();
  const playing = { ended };
  current = playing;
  const buffer = await joinedWindows(sound, indices);
  if (current !== playing) return; // something else was started meanwhile
  const volume = new GainNode(audioContext(), { gain });
  playing.source = new AudioBufferSourceNode(audioContext(), { buffer });
  playing.source.connect(volume).connect(audioContext().destination);
  playing.source.onended = () => current === playing && stopPlaying();
  const started = audioContext().currentTime;
  playing.source.start();
  const frame = () => {
    if (current !== playing) return;
    moved(Math.min(audioContext().currentTime - started, buffer.duration));
    requestAnimationFrame(frame);
  };
  frame();
}

// A spectrogram with its player, windows and playhead.
class Sound {
  constructor(figure) {
    this.figure = figure;
    this.label = figure.dataset.label;
    this.count = Number(figure.dataset.count);
    this.windowSeconds = Number(figure.dataset.windowSeconds);
    this.loudness = Number(figure.dataset.loudness); // NaN: silent
    this.chosen = 0;
    this.slider = one(".windows", figure);
    this.audio = one("audio", figure);
    this.choose(0);
    this.listen();
  }

  get seconds() {
    return this.count * this.windowSeconds;
  }

  listen() {
    this.slider.addEventListener("click", (event) => this.clicked(event));
    this.slider.addEventListener("keydown", (event) => this.keyPressed(event));
    const on = (name, action) => one(name, this.figure).addEventListener("click", action);
    on(".play", () => this.play(this.chosen));
    on(".previous", () => this.play(this.chosen - 1));
    on(".next", () => this.play(this.chosen + 1));
    this.audio.addEventListener("play", () => this.followPlayer());
    this.audio.addEventListener("seeked", () => this.movePlayhead(this.audio.currentTime));
  }

  clicked(event) {
    const share = event.offsetX / this.slider.clientWidth;
    this.play(Math.floor(share * this.count));
  }

  keyPressed(event) {
    const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -8, PageUp: 8 };
    if (event.key in steps) this.choose(this.chosen + steps[event.key]);
    else if (event.key === "Home") this.choose(0);
    else if (event.key === "End") this.choose(this.count - 1);
    else if (event.key === "Enter" || event.key === " ") this.play(this.chosen);
    else return;
    event.preventDefault();
  }

  choose(index) {
    this.chosen = Math.min(Math.max(index, 0), this.count - 1);
    const rect = one(".chosen", this.figure);
    rect.setAttribute("x", `${(100 * this.chosen) / this.count}%`);
    rect.setAttribute("width", `${100 / this.count}%`);
    const [from, to] = [this.chosen, this.chosen + 1].map((i) => (i * this.windowSeconds).toFixed(2));
    const words = `segment ${this.chosen + 1} of ${this.count}, ${from} to ${to} s`;
    this.slider.setAttribute("aria-valuenow", this.chosen + 1);
    this.slider.setAttribute("aria-valuetext", words);
    one(".where", this.figure).textContent = words;
  }

  play(index) {
    this.choose(index);
    const start = this.chosen * this.windowSeconds;
    playWindows(this, [this.chosen], {
      moved: (seconds) => this.movePlayhead(start + seconds),
      ended: () => this.figure.classList.remove("playing"),
    });
    this.figure.classList.add("playing");
  }

  // Moves the playhead at every frame while the player runs.
  followPlayer() {
    this.movePlayhead(this.audio.currentTime);
    if (!this.audio.paused) requestAnimationFrame(() => this.followPlayer());
  }

  movePlayhead(seconds) {
    const place = `${(100 * seconds) / this.seconds}%`;
    const line = one(".playhead", this.figure);
    line.setAttribute("x1", place);
    line.setAttribute("x2", place);
  }
}

const sounds = new Map(all(".sound").map((figure) => [figure.id, new Sound(figure)]));

// Only one player runs at a time.
function stopOthers(event) {
  stopWindows();
  all("audio").filter((audio) => audio !== event.target).forEach((audio) => audio.pause());
}

function showMarks(checkbox, name) {
  const show = () => one("#spectrograms").classList.toggle(`with-${name}`, checkbox.checked);
  checkbox.addEventListener("change", show);
  show();
}

function showSeed(select) {
  const figures = all(".sound", select.closest(".row"));
  select.addEventListener("change", () => {
    stopPlaying();
    figures.forEach((figure) => { figure.hidden = figure.id !== select.value; });
  });
}

function chooseScale() {
  const scale = one("input[name=scale]:checked").value;
  for (const each of ["mel", "linear"]) one("#spectrograms").classList.toggle(`with-${each}`, each === scale);
}

// A card plays all windows of its sound, by the player below.
function hear(button) {
  const audio = one(`#${button.dataset.sound} audio`);
  const label = one("span", button);
  button.addEventListener("click", () => (audio.paused ? audio.play() : audio.pause()));
  for (const event of ["play", "pause"]) {
    audio.addEventListener(event, () => { label.textContent = audio.paused ? "▶ play" : "■ stop"; });
  }
}

all(".hear").forEach(hear);
all("input[name=scale]").forEach((input) => input.addEventListener("change", chooseScale));
chooseScale();
document.addEventListener("play", stopOthers, true);
showMarks(one("#show-edge"), "edge");
showMarks(one("#show-lines"), "line");
all(".seed-choice").forEach(showSeed);
addEventListener("beforeprint", () => all("details").forEach((details) => { details.open = true; }));
