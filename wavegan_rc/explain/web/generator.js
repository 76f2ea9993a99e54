// Section 6: a trained generator, run in the page.
import { all, breath, element, hertz, level, number, one, onClick, setValue, short, stageColour, valueOf } from "./dom.js";
import { forward, readGenerator } from "./network.js";
import { inARow, levellingGain, player, stop, wavFile } from "./player.js";
import { barPlot, spectrumPlot, wavePlot } from "./plot.js";
import { uniform } from "./random.js";
import { keepFrequencies, lineProminences, meanPowerSpectrum, median, outOfBandRatio } from "./spectrum.js";
import { decibels, predictedComb, range, sum, toneLevels } from "./theory.js";

const MEASURED_DRAWS = 64;
const IN_A_ROW = 16;

const opened = new Map();
const measurements = new Map();

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

// The mean spectrum of many draws, the mean of the last stage's input and of its output by phase.
async function measure(generator, told) {
  const factor = generator.stages.at(-1).factor;
  const { channels, taps } = generator.stages.at(-1);
  const [windows, inputMean, outputMean] = [[], new Float64Array(channels), new Float64Array(factor)];
  for (const [done, latents] of latentsOf(generator, 2026, MEASURED_DRAWS).entries()) {
    const { audio, input } = forward(generator, latents);
    windows.push(audio);
    addMeans(inputMean, input, channels, taps, 1);
    addMeans(outputMean, audio, factor, taps, 1);
    if (done % 4 === 0) {
      told(done);
      await breath();
    }
  }
  const power = meanPowerSpectrum(windows);
  return { power, inputMean: inputMean.map((x) => x / MEASURED_DRAWS), outputMean: outputMean.map((x) => x / MEASURED_DRAWS) };
}

// Adds the mean over time of each of `width` interleaved series, without `margin` at the ends.
function addMeans(total, values, width, margin) {
  const rows = values.length / width;
  for (let n = margin; n < rows - margin; n += 1) {
    for (let c = 0; c < width; c += 1) total[c] += values[n * width + c] / (rows - 2 * margin);
  }
}

// What the last stage's weights make of its mean input, by output phase.
function predictedPhases({ stages }, inputMean) {
  const { kernel, bias, taps, channels, outputs } = stages.at(-1);
  return range(outputs).map((p) => (bias?.[p] ?? 0) + sum(range(channels).map(
    (c) => inputMean[c] * sum(range(taps).map((t) => kernel[(t * channels + c) * outputs + p])),
  )));
}

// Power in dB re a full-scale sine of the strongest tone that phases in turn make.
function toneOf(phases) {
  const mean = sum(phases) / phases.length;
  return Math.max(...toneLevels(phases)) + decibels(2 * mean ** 2);
}

export function startGenerator(written) {
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
  let shown = { audio: null, latents: null, power: null };

  const drawWave = wavePlot("generator-wave", () => shown.audio);
  const drawLatents = barPlot("generator-latents", () => shown.latents);
  const drawSpectrum = spectrumPlot("generator-spectrum", () => shown.audio && {
    curves: [
      { db: meanPowerSpectrum([shown.audio]).map((x) => decibels(2 * x + 1e-15)), kind: "one" },
      ...(measurements.has(current()) ? [{ db: measurements.get(current()).power.map((x) => decibels(2 * x + 1e-15)), kind: "mean" }] : []),
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
    shown = { latents: latents(), audio: forward(generator, latents()).audio };
    const seconds = generator.segmentLength / generator.sampleRate;
    one("#generator-wave-said").textContent = `one window: ${generator.segmentLength} samples, ${short(seconds)} s`;
    const edge = generator.stopbandHz;
    one("#generator-muted-text").textContent = edge ? `without the artifact (muted above ${hertz(edge)})` : "without the predicted lines";
    one("#generator-alone-text").textContent = edge ? `the artifact alone (only above ${hertz(edge)})` : "the predicted lines alone";
    one("#generator-gain").textContent = "";
    [drawWave, drawLatents, drawSpectrum].forEach((each) => each());
    if (measurements.has(generator)) report(generator);
    else measureWhenSeen();
  }

  let seen = false;
  let measuring = false;
  async function measureWhenSeen() {
    if (!seen || measuring || measurements.has(current())) return;
    measuring = true;
    const generator = current();
    const told = (done) => { one("#generator-said").textContent = `measuring: draw ${done} of ${MEASURED_DRAWS}`; };
    measurements.set(generator, await measure(generator, told));
    measuring = false;
    draw();
  }

  function report(generator) {
    const { power, inputMean, outputMean } = measurements.get(generator);
    const { sampleRate: rate, stopbandHz: edge, stages, comb } = generator;
    const parts = ["Blue: this window. Black: mean of 64 draws. Marks: predicted lines, by stage (table)."];
    if (edge) parts.push(`Power above ${hertz(edge)}: ${level(outOfBandRatio(power, edge, rate))} of the whole; in the recordings \u221286 dB.`);
    one("#generator-said").textContent = parts.join(" ");
    reportLines(comb, lineProminences(power, comb.map(({ hz }) => hz), rate), stages.length);
    reportChain(generator, predictedPhases(generator, inputMean), outputMean);
  }

  function reportLines(comb, prominences, stages) {
    one("#generator-lines tbody").replaceChildren(...range(stages).reverse().map((i) => {
      const own = comb.map(({ hz, stage }, k) => [stage, hz, prominences[k]]).filter(([stage]) => stage === i + 1);
      const named = own.slice(0, 3).map(([, hz]) => Number(hz.toFixed(1))).join(", ") + (own.length > 3 ? ", \u2026" : "");
      const found = own.map(([, , db]) => db).filter(Number.isFinite);
      const dot = element("span", { class: "dot", style: `--stage: ${stageColour(i + 1, stages)}` });
      return element("tr", {}, element("td", {}, dot, String(i + 1)), element("td", {}, `${named} Hz`),
        element("td", {}, found.length ? `${number(median(found))} dB` : "not measurable"));
    }));
  }

  function reportChain(generator, predicted, measured) {
    const factor = predicted.length;
    const [byWeights, byAudio] = [toneOf(predicted), toneOf([...measured])];
    const rows = [["output phase", ...range(factor).map((p) => `${p}`), "tone"],
      ["predicted from the weights", ...predicted.map((x) => number(x, 6)), dbfs(byWeights)],
      ["measured in the audio", ...[...measured].map((x) => number(x, 6)), dbfs(byAudio)]];
    one("#generator-chain tbody").replaceChildren(...rows.map((row, r) => element("tr", {},
      ...row.map((cell, c) => element(r && c ? "td" : "th", {}, cell)))));
    const where = hertz(generator.sampleRate / factor);
    one("#generator-chain-said").textContent = byWeights > -110
      ? `From the weights: a tone of ${dbfs(byWeights)} at ${where}. In the audio: ${dbfs(byAudio)}.`
      : `From the weights: no tone at ${where}, all phases get the same. In the audio: ${dbfs(byAudio)}.`;
  }
  const dbfs = (db) => (db > -130 ? `${number(db)} dB` : "none");

  // The chosen part of a sound, and how much louder it is played.
  function filtered(windows) {
    const { sampleRate: rate, stopbandHz: edge, comb } = current();
    const samples = inARow(windows);
    const near = (hz) => comb.some((one) => Math.abs(one.hz - hz) < 4);
    const outside = edge ? (hz) => hz > edge : near;
    if (valueOf("generator-all")) return told(samples, samples, rate);
    const alone = valueOf("generator-alone");
    return told(samples, keepFrequencies(samples, rate, (hz) => outside(hz) === alone), rate);
  }
  function told(whole, part, rate) {
    const more = 20 * Math.log10(levellingGain(part, rate) / levellingGain(whole, rate));
    one("#generator-gain").textContent = Math.abs(more) > 0.5 ? `played ${number(more, 0)} dB louder than the whole` : "";
    return { samples: part, rate };
  }

  player("generator-hear", async () => filtered(range(IN_A_ROW).map(() => shown.audio)));
  player("generator-hear-walk", async () => filtered(await audioOf(current(),
    range(IN_A_ROW).map((i) => between(...pair(), i / (IN_A_ROW - 1))))));
  player("generator-hear-draws", async () => filtered(await audioOf(current(),
    latentsOf(current(), valueOf("generator-seed"), IN_A_ROW))));
  onClick("generator-draw", () => { stop(); setValue("generator-seed", valueOf("generator-seed") + 1); });
  onClick("generator-save", () => {
    const link = element("a", { download: `window-${valueOf("generator-seed")}.wav`, href: URL.createObjectURL(wavFile(shown.audio, current().sampleRate)) });
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
