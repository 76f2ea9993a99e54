// Plays one sound at a time (Web Audio).
import { all, one, valueOf } from "./dom.js";
import { resampled, weightedPower } from "./spectrum.js";

// Power under A-weighting to which every sound is brought, and the greatest sample.
const LOUDNESS = 10 ** (-30 / 10);
const PEAK = 0.95;
// Every browser plays from this rate on (Web Audio API).
const LOWEST_RATE = 8000;

let playing = null;

export function stop() {
  if (!playing) return;
  const { button, context } = playing;
  playing = null;
  button.setAttribute("aria-pressed", "false");
  context?.close();
}

// The gain that brings a sound to the common loudness.
export function levellingGain(samples, rate) {
  const power = weightedPower(samples, rate);
  if (!(power > 1e-20)) return 0;
  const peak = samples.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  return Math.min(Math.sqrt(LOUDNESS / power), PEAK / peak);
}

// A button that plays what `make` returns, { samples, rate }, and stops at the next press. The
// page raises the rate itself: the player's own filter would remove what lies at half of it.
export function player(id, make) {
  const button = one(`#${id}`);
  button.addEventListener("click", async () => {
    const again = playing?.button === button;
    stop();
    if (again) return;
    const mine = { button };
    playing = mine;
    button.setAttribute("aria-pressed", "true");
    button.setAttribute("aria-busy", "true");
    const { samples, rate } = await make();
    button.removeAttribute("aria-busy");
    if (playing !== mine) return; // another was pressed meanwhile
    const gain = levellingGain(samples, rate);
    const times = Math.max(2, Math.ceil(LOWEST_RATE / rate));
    const raised = resampled(samples.map((x) => x * gain), valueOf("slow") ? 2 * times : times);
    mine.context = new AudioContext({ sampleRate: times * rate });
    const buffer = mine.context.createBuffer(1, raised.length, times * rate);
    buffer.copyToChannel(raised, 0);
    const source = new AudioBufferSourceNode(mine.context, { buffer });
    source.connect(mine.context.destination);
    source.onended = () => playing === mine && stop();
    source.start();
  });
}

export function stopWhenLeaving() {
  addEventListener("pagehide", stop);
  addEventListener("keydown", (event) => event.key === "Escape" && stop());
  one("#slow").addEventListener("change", stop);
  all("main input, main select").forEach((control) => control.addEventListener("input", stop));
}

// A fade at both ends of a window, so that windows in a row do not click.
export function inARow(windows) {
  const length = windows[0].length;
  const fade = Math.min(64, Math.floor(length / 4));
  const joined = new Float32Array(windows.length * length);
  windows.forEach((window, place) => window.forEach((x, n) => {
    const edge = Math.min(n + 0.5, length - n - 0.5) / fade;
    joined[place * length + n] = edge < 1 ? x * Math.sin((Math.PI / 2) * edge) ** 2 : x;
  }));
  return joined;
}

// A WAV file of 32-bit floating point.
export function wavFile(samples, rate) {
  const view = new DataView(new ArrayBuffer(44 + 4 * samples.length));
  const letters = (at, word) => [...word].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  letters(0, "RIFF");
  view.setUint32(4, 36 + 4 * samples.length, true);
  letters(8, "WAVEfmt ");
  [[16, 16, 4], [20, 3, 2], [22, 1, 2], [24, rate, 4], [28, 4 * rate, 4], [32, 4, 2], [34, 32, 2], [40, 4 * samples.length, 4]]
    .forEach(([at, value, bytes]) => (bytes === 4 ? view.setUint32(at, value, true) : view.setUint16(at, value, true)));
  letters(36, "data");
  samples.forEach((x, n) => view.setFloat32(44 + 4 * n, x, true));
  return new Blob([view], { type: "audio/wav" });
}
