// The tables of section 6: predicted lines, and the chain from the weights to the line.
import { dot, element, hertz, number, one } from "./dom.js";
import { lineProminences, median } from "./spectrum.js";
import { decibels, range, sum, toneLevels } from "./theory.js";

// The mean over time of each of `width` interleaved series, under a Hann window: with plain means,
// what is slow looks like a tone, since it ends elsewhere than it began. Series c lies `place(c)`
// rows after the first.
function means(values, width, place) {
  const rows = values.length / width;
  return range(width).map((c) => {
    const weights = range(rows).map((n) => 1 - Math.cos((2 * Math.PI * (n + place(c))) / rows));
    return sum(weights.map((weight, n) => weight * values[n * width + c])) / sum(weights);
  });
}

const phaseMeans = (samples, factor) => means(samples, factor, (p) => (p + 0.5) / factor);

// What the last stage makes of the constant in its input: for each output phase, the sum of its
// taps in each channel times the mean of the channel.
function predictedPhases({ kernel, bias, taps, channels, outputs }, input) {
  const constant = means(input, channels, () => 0.5);
  const gain = (c, p) => sum(range(taps).map((t) => kernel[(t * channels + c) * outputs + p]));
  return range(outputs).map((p) => (bias?.[p] ?? 0) + sum(constant.map((mean, c) => mean * gain(c, p))));
}

// Power in dB re a full-scale sine of the strongest tone that phases in turn make.
function toneOf(phases) {
  const mean = sum(phases) / phases.length;
  return Math.max(...toneLevels(phases)) + decibels(2 * mean ** 2);
}

// The last stage's tone: what the weights say, and what the audio shows.
export function chain(generator, { audio, input }) {
  const last = generator.stages.at(-1);
  const rows = [["from the weights", predictedPhases(last, input)]];
  const before = audio.map(Math.atanh); // infinite where tanh has rounded to 1
  if (!generator.postFilter && before.every(Number.isFinite)) rows.push(["before tanh", phaseMeans(before, last.factor)]);
  rows.push(["in the audio", phaseMeans(audio, last.factor)]);
  return rows.map(([name, phases]) => ({ name, phases, tone: toneOf(phases) }));
}

// Weights are float32: what is below is their rounding.
const dbfs = (db) => (db > -130 ? `${number(db)} dB` : "none");

// A row for each stage: the median prominence of its lines in this window and in the mean.
export function reportLines({ comb, sampleRate, stages }, spectra) {
  const prominences = spectra.map((power) => power && lineProminences(power, comb.map(({ hz }) => hz), sampleRate));
  one("#generator-lines tbody").replaceChildren(...range(stages.length).reverse().map((i) => {
    const own = range(comb.length).filter((k) => comb[k].stage === i + 1);
    const named = own.slice(0, 3).map((k) => Number(comb[k].hz.toFixed(1))).join(", ") + (own.length > 3 ? ", \u2026" : "");
    const levels = prominences.map((each) => each && median(own.map((k) => each[k]).filter(Number.isFinite)));
    return element("tr", {}, element("td", {}, dot(i + 1, stages.length), String(i + 1)), element("td", {}, `${named} Hz`),
      ...levels.map((db) => element("td", {}, db === undefined ? "\u2026" : Number.isNaN(db) ? "not measurable" : `${number(db)} dB`)));
  }));
}

export function reportChain(generator, shown) {
  const { factor } = generator.stages.at(-1);
  const cells = chain(generator, shown).map(({ name, phases, tone }) => [name, ...phases.map((x) => number(x, 6)), dbfs(tone)]);
  cells.unshift(["mean of output phase", ...range(factor).map(String), factor > 2 ? "strongest tone" : `tone at ${hertz(generator.sampleRate / 2)}`]);
  one("#generator-chain tbody").replaceChildren(...cells.map((row, r) => element("tr", {},
    ...row.map((cell, c) => element(r && c ? "td" : "th", {}, cell)))));
}
