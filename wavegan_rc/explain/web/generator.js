// Section 6: a trained generator, run in the page.
import { all, breath, element, hertz, level, number, one, onClick, setValue, short, valueOf } from "./dom.js";
import { forward, readGenerator } from "./network.js";
import { inARow, levellingGain, player, stop, wavFile } from "./player.js";
import { barPlot, spectrumPlot, wavePlot } from "./plot.js";
import { uniform } from "./random.js";
import { keepFrequencies, meanPowerSpectrum, outOfBandRatio } from "./spectrum.js";
import { reportChain, reportLines } from "./tables.js";
import { decibels, predictedComb, range } from "./theory.js";

const MEASURED_DRAWS = 64;
const IN_A_ROW = 16;

// Latent vectors of a seed, uniform in -1..1 as in training.
function latentsOf(generator, seed, count) {
  const next = uniform(seed);
  return range(count).map(() => Float32Array.from({ length: generator.latentDim }, () => 2 * next() - 1));
}

const between = (a, b, share) => a.map((value, i) => (1 - share) * value + share * b[i]);

async function audioOf(generator, latents) {
  const windows = [];
  for (const each of latents) {
    windows.push(forward(generator, each).audio);
    await breath();
  }
  return windows;
}

// The mean spectrum of many draws.
async function meanSpectrum(generator, told) {
  const windows = [];
  for (const latents of latentsOf(generator, 2026, MEASURED_DRAWS)) {
    windows.push(forward(generator, latents).audio);
    if (windows.length % 4 === 0) {
      told(windows.length);
      await breath();
    }
  }
  return meanPowerSpectrum(windows);
}

export function startGenerator(written) {
  const opened = new Map();
  const measurements = new Map();
  const current = () => {
    const which = Math.max(0, one("#generator-which").selectedIndex);
    if (!opened.has(which)) {
      const generator = readGenerator(written[which]);
      generator.comb = predictedComb(generator.stages.map((stage) => stage.factor), generator.sampleRate);
      opened.set(which, generator);
    }
    return opened.get(which);
  };
  const pair = () => latentsOf(current(), valueOf("generator-seed"), 2);
  const latents = () => between(...pair(), valueOf("generator-walk"));
  let shown = {};

  const drawWave = wavePlot("generator-wave", () => shown.audio && {
    values: shown.audio,
    most: shown.audio.reduce((peak, x) => Math.max(peak, Math.abs(x)), 1e-9),
    from: "0 s",
    to: `${short(current().segmentLength / current().sampleRate)} s`,
  });
  const drawLatents = barPlot("generator-latents", () => shown.latents && {
    values: shown.latents, most: 1, from: "number 1", to: `number ${shown.latents.length}`,
  });
  const drawSpectrum = spectrumPlot("generator-spectrum", 300, () => shown.audio && {
    curves: [
      { db: meanPowerSpectrum([shown.audio]).map((x) => decibels(2 * x + 1e-15)), kind: "one" },
      ...(measurements.has(current()) ? [{ db: measurements.get(current()).map((x) => decibels(2 * x + 1e-15)), kind: "mean" }] : []),
    ],
    rate: current().sampleRate,
    lines: current().comb,
    stages: current().stages.length,
    top: 0,
    floor: -120,
    edgeHz: current().stopbandHz,
  });

  function draw() {
    const generator = current();
    shown = { latents: latents(), ...forward(generator, latents()) };
    one("#generator-wave-said").textContent = `one window: ${generator.segmentLength} samples. “Hear this window” repeats it ${IN_A_ROW} times.`;
    const edge = generator.stopbandHz;
    one("#generator-muted-text").textContent = edge ? `only below ${hertz(edge)} (lines stay there)` : "without the predicted lines";
    one("#generator-alone-text").textContent = edge ? `only above ${hertz(edge)} (what the generator invented)` : "the predicted lines alone";
    one("#generator-about").textContent = edge
      ? `Its recordings were low-passed and hold nothing above ${hertz(edge)}. Whatever stands in the shaded band, the generator invented.`
      : "Its recordings have no upper limit, so only the predicted lines show what the generator invented.";
    one("#generator-gain").textContent = "";
    [drawWave, drawLatents, drawSpectrum].forEach((each) => each());
    reportChain(generator, shown);
    report(generator);
    measureWhenSeen();
  }

  let seen = false;
  let measuring = false;
  async function measureWhenSeen() {
    if (!seen || measuring || measurements.has(current())) return;
    measuring = true;
    const generator = current();
    measurements.set(generator, await meanSpectrum(generator, (done) => report(current(), done)));
    measuring = false;
    draw();
  }

  function report(generator, done = 0) {
    const power = measurements.get(generator);
    const { sampleRate: rate, stopbandHz: edge } = generator;
    const parts = ["Thin: this window.", power ? `Strong: the mean of ${MEASURED_DRAWS} draws.` : `The mean of ${MEASURED_DRAWS} draws: computing, draw ${done} \u2026`];
    if (power && edge) parts.push(`Power in the shaded band: ${level(outOfBandRatio(power, edge, rate))} of the whole.`);
    one("#generator-said").textContent = parts.join(" ");
    if (!done) reportLines(generator, [meanPowerSpectrum([shown.audio]), power]);
  }

  // The chosen part of a sound.
  function chosenPart(samples) {
    if (valueOf("generator-all")) return samples;
    const { sampleRate: rate, stopbandHz: edge, comb } = current();
    const near = (hz) => comb.some((predicted) => Math.abs(predicted.hz - hz) < 4);
    const outside = edge ? (hz) => hz > edge : near;
    return keepFrequencies(samples, rate, (hz) => outside(hz) === valueOf("generator-alone"));
  }

  // The chosen part of windows in a row; tells how much louder it is played.
  function filtered(windows) {
    const { sampleRate: rate } = current();
    const whole = inARow(windows);
    const samples = chosenPart(whole);
    const more = 20 * Math.log10(levellingGain(samples, rate) / levellingGain(whole, rate));
    one("#generator-gain").textContent = Math.abs(more) > 0.5 ? `played ${number(more, 0)} dB louder than the whole` : "";
    return { samples, rate };
  }

  player("generator-hear", async () => filtered(range(IN_A_ROW).map(() => shown.audio)));
  player("generator-hear-walk", async () => filtered(await audioOf(current(),
    range(IN_A_ROW).map((i) => between(...pair(), i / (IN_A_ROW - 1))))));
  player("generator-hear-draws", async () => filtered(await audioOf(current(),
    latentsOf(current(), valueOf("generator-seed"), IN_A_ROW))));
  onClick("generator-draw", () => { stop(); setValue("generator-seed", valueOf("generator-seed") + 1); });
  onClick("generator-save", () => {
    const part = ["all", "muted", "alone"].find((name) => valueOf(`generator-${name}`));
    const samples = part === "all" ? shown.audio : chosenPart(inARow([shown.audio]));
    const file = wavFile(samples, current().sampleRate);
    const link = element("a", { download: `window-${valueOf("generator-seed")}-${part}.wav`, href: URL.createObjectURL(file) });
    link.click();
    URL.revokeObjectURL(link.href);
  });
  one("#generator").addEventListener("input", draw);
  all('[name="generator-band"]').forEach((choice) => choice.addEventListener("input", stop));
  new IntersectionObserver((entries) => {
    seen ||= entries.some((entry) => entry.isIntersecting);
    measureWhenSeen();
  }, { rootMargin: "600px" }).observe(one("#generator"));
  draw();
}
