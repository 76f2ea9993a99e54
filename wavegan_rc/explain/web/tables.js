// The tables of section 6: predicted lines, and the chain from the weights to the line.
import { element, hertz, number, one, stageColour } from "./dom.js";
import { lineProminences, median } from "./spectrum.js";
import { decibels, range, sum, toneLevels } from "./theory.js";

// The mean over time of each of `width` interleaved series, without `margin` rows at the ends; read
// `shift` rows later.
function means(values, width, margin, shift = 0) {
  const rows = values.length / width;
  const left = Math.min(margin, Math.floor((rows - 1) / 2));
  const kept = range(rows - 2 * left).map((n) => n + left + shift);
  return range(width).map((c) => sum(kept.map((n) => values[n * width + c] ?? 0)) / kept.length);
}

// What the last stage makes of the mean input: for each output phase, a sum of its taps times the
// mean of the samples that they read.
function predictedPhases({ stages }, input) {
  const { kernel, bias, before, taps, channels, outputs } = stages.at(-1);
  const read = range(taps).flatMap((t) => means(input, channels, taps, t - before));
  return range(outputs).map((p) => (bias?.[p] ?? 0) + sum(read.map((mean, row) => mean * kernel[row * outputs + p])));
}

// Power in dB re a full-scale sine of the strongest tone that phases in turn make.
function toneOf(phases) {
  const mean = sum(phases) / phases.length;
  return Math.max(...toneLevels(phases)) + decibels(2 * mean ** 2);
}

const dbfs = (db) => (db > -130 ? `${number(db)} dB` : "none");

// A row for each stage: the median prominence of its lines in this window and in the mean.
export function reportLines({ comb, sampleRate, stages }, spectra) {
  const prominences = spectra.map((power) => lineProminences(power, comb.map(({ hz }) => hz), sampleRate));
  one("#generator-lines tbody").replaceChildren(...range(stages.length).reverse().map((i) => {
    const own = range(comb.length).filter((k) => comb[k].stage === i + 1);
    const named = own.slice(0, 3).map((k) => Number(comb[k].hz.toFixed(1))).join(", ") + (own.length > 3 ? ", \u2026" : "");
    const dot = element("span", { class: "dot", style: `--stage: ${stageColour(i + 1, stages.length)}` });
    const levels = prominences.map((each) => median(own.map((k) => each[k]).filter(Number.isFinite)));
    return element("tr", {}, element("td", {}, dot, String(i + 1)), element("td", {}, `${named} Hz`),
      ...levels.map((db) => element("td", {}, db === undefined ? "not measurable" : `${number(db)} dB`)));
  }));
}

// What the weights say of the last stage's tone, and what the audio shows.
export function reportChain(generator, { audio, input }) {
  const { factor, taps } = generator.stages.at(-1);
  const predicted = predictedPhases(generator, input);
  const rows = [["predicted from the weights", predicted]];
  const before = audio.map(Math.atanh); // infinite where tanh has rounded to 1
  if (!generator.postFilter && before.every(Number.isFinite)) rows.push(["measured before tanh", means(before, factor, taps)]);
  rows.push(["measured in the audio", means(audio, factor, taps)]);
  const cells = rows.map(([name, phases]) => [name, ...phases.map((x) => number(x, 6)), dbfs(toneOf(phases))]);
  cells.unshift(["mean of output phase", ...range(factor).map(String), factor > 2 ? "strongest tone" : `tone at ${hertz(generator.sampleRate / 2)}`]);
  one("#generator-chain tbody").replaceChildren(...cells.map((row, r) => element("tr", {},
    ...row.map((cell, c) => element(r && c ? "td" : "th", {}, cell)))));
}
