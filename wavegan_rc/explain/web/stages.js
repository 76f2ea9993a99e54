// Section 5: stages with random weights, their spectra and their sound.
import { breath, dot, element, hertz, number, one, onClick, refuse, setValue, short, stageColour, valueOf } from "./dom.js";
import { upsample } from "./network.js";
import { player, stop } from "./player.js";
import { spectrumPlot } from "./plot.js";
import { normal } from "./random.js";
import { lineProminences, meanPowerSpectrum } from "./spectrum.js";
import { decibels, polyphaseFold, predictedComb, range, sum } from "./theory.js";

const RATE = 16000;
const CHANNELS = 16;
const MOST_STAGES = 8;
const MOST_PRODUCT = 1024;
const SAMPLES = 20480;
const FEWEST_WINDOWS = 4;

const productOf = (factors) => factors.reduce((a, b) => a * b, 1);

// At least 2048 samples, with lines on bins, 16 bins or more apart: their prominence needs 4 free ones.
const windowOf = (factors) => 2 * productOf(factors) * Math.max(8, Math.ceil(1024 / productOf(factors)));
const soundLength = (factors) => Math.max(SAMPLES, FEWEST_WINDOWS * windowOf(factors));

// A stage with random weights (He), folded to the low rate.
function randomStage(upsampler, filter, size, factor, outputs, next) {
  const zerosBetween = upsampler === "transposed" || upsampler === "subpixel";
  const kernelSize = upsampler === "subpixel" ? Math.ceil(size / factor) * factor : size;
  const { matrix, before } = polyphaseFold(upsampler, filter, kernelSize, factor);
  const taps = matrix[0].length;
  const scale = Math.sqrt(2 / ((zerosBetween ? kernelSize / factor : kernelSize) * CHANNELS));
  const weights = Float64Array.from({ length: kernelSize * CHANNELS * outputs }, () => scale * next());
  const kernel = new Float32Array(taps * CHANNELS * factor * outputs);
  matrix.forEach((rows, p) => rows.forEach((row, t) => row.forEach((share, k) => {
    if (share === 0) return;
    for (let c = 0; c < CHANNELS; c += 1) {
      for (let f = 0; f < outputs; f += 1) {
        kernel[((t * CHANNELS + c) * factor + p) * outputs + f] += share * weights[(k * CHANNELS + c) * outputs + f];
      }
    }
  })));
  return { taps, channels: CHANNELS, outputs: factor * outputs, before, kernel, factor };
}

// Noise through stages with random weights, without the ends that padding reaches.
export async function noiseThrough(upsamplers, factors, kernelSize, seed, interpolation) {
  const next = normal(seed);
  const stages = factors.map((factor, i) => randomStage(upsamplers[i], interpolation[upsamplers[i]][factor],
    kernelSize, factor, i === factors.length - 1 ? 1 : CHANNELS, next));
  const [product, samples] = [productOf(factors), soundLength(factors)];
  let rate = 1;
  const margin = 1 + Math.ceil(sum(stages.map(({ taps, factor }) => {
    const reach = taps / rate;
    rate *= factor;
    return reach;
  })));
  const length = Math.ceil(samples / product) + 2 * margin;
  let x = Float32Array.from({ length: length * CHANNELS }, next);
  for (const stage of stages) {
    x = upsample(x.map((value) => Math.max(value, 0)), stage);
    await breath();
  }
  return x.subarray(margin * product, margin * product + samples);
}

// The factors that a text lists, or null. "2 x 7" is none: it may mean two stages, or seven.
export function factorsOf(words) {
  const factors = words.trim().split(/[\s,]+/).map(Number);
  const fit = factors.every((factor) => Number.isInteger(factor) && factor >= 2 && factor <= 8);
  return fit && factors.length <= MOST_STAGES && productOf(factors) <= MOST_PRODUCT ? factors : null;
}

export function plotOf(sound, factors) {
  if (!sound) return null;
  const window = windowOf(factors);
  const power = meanPowerSpectrum(range(Math.floor(sound.length / window)).map((i) => sound.subarray(i * window, (i + 1) * window)));
  const total = sum(power);
  const lines = predictedComb(factors, RATE);
  return {
    curves: [{ db: power.map((x) => decibels(x / total + 1e-15)), kind: "mean" }],
    rate: RATE, lines, stages: factors.length, top: 0, floor: -110, power, total,
  };
}

// How far the line of the last stage stands out, and its level, in words.
export function lastLine({ power, total, lines, stages }) {
  const prominences = lineProminences(power, lines.map(({ hz }) => hz), RATE);
  const k = lines.findLastIndex(({ stage }) => stage === stages);
  const [db, level] = [prominences[k], decibels(power[Math.round((lines[k].hz * 2 * (power.length - 1)) / RATE)] / total)];
  const verdict = db > 6 ? "a line stands out by" : db < -6 ? "a gap, not a line:" : "no line:";
  return `${hertz(lines[k].hz)}: ${verdict} ${number(db, 0)} dB, at a level of ${number(level, 0)} dB`;
}

const COMPUTING = "computing \u2026";

// The two sounds at the top of the page: the same noise, seven doublings.
export function startHero(interpolation) {
  const factors = Array(7).fill(2);
  one("#hero-legend").append(...factors.map((_, i) => element("span", {}, dot(i + 1, factors.length),
    `stage ${i + 1}: ${hertz(RATE / productOf(factors.slice(i)))}`)));
  for (const word of ["transposed", "resize"]) {
    let sound = null;
    const draw = spectrumPlot(`hero-${word}-spectrum`, 190, () => plotOf(sound, factors));
    one(`#hero-${word}-said`).textContent = COMPUTING;
    const ready = noiseThrough(factors.map(() => word), factors, 22, 1, interpolation).then((made) => {
      sound = made;
      draw();
      one(`#hero-${word}-said`).textContent = lastLine(plotOf(made, factors));
      return made;
    });
    player(`hero-${word}`, async () => ({ samples: await ready, rate: RATE }));
  }
}

export function startStages(interpolation) {
  const words = Object.keys(interpolation);
  let factors = [];
  let mine = null;
  let generation = 0;
  const sounds = new Map();
  const upsamplers = () => {
    const chosen = String(valueOf("stages-words")).split(" ").filter((word) => words.includes(word));
    return factors.map((_, i) => chosen[i] ?? chosen.at(-1) ?? "transposed");
  };
  const compute = (chosen) => noiseThrough(chosen, factors, valueOf("stages-kernel"), valueOf("stages-seed"), interpolation);
  const main = spectrumPlot("stages-spectrum", 320, () => plotOf(mine, factors));
  const cards = Object.fromEntries(words.map((word) => [word,
    spectrumPlot(`stages-${word}`, 150, () => plotOf(sounds.get(word), factors))]));

  function list() {
    const rates = factors.map((_, i) => RATE / productOf(factors.slice(i + 1)));
    const named = [...one('[data-stage="all"]').options].filter(({ value }) => value);
    const options = (selected) => named.map(({ value, text }) => element("option", { value, ...(value === selected && { selected: "" }) }, text));
    const span = (from, to) => (to < 1000 ? `${short(from)} \u2192 ${hertz(to)}` : `${short(from / 1000)} \u2192 ${short(to / 1000)} kHz`);
    const stages = upsamplers().map((word, i) => element("label", { style: `--stage: ${stageColour(i + 1, factors.length)}` },
      `stage ${i + 1}`, element("span", {}, span(rates[i] / factors[i], rates[i])),
      element("select", { "aria-label": `upsampler of stage ${i + 1}`, "data-stage": i }, ...options(word))));
    const focused = document.activeElement.dataset.stage; // a new list must not lose it
    one("#stages-list").replaceChildren(...stages);
    if (focused) one(`[data-stage="${focused}"]`)?.focus();
    const different = new Set(upsamplers());
    one('[data-stage="all"]').value = different.size === 1 ? [...different][0] : "";
  }

  function choose({ target }) {
    const index = target.dataset.stage;
    if (!index || !target.value) return;
    const chosen = upsamplers();
    const changed = index === "all" ? [target.value] : chosen.map((word, i) => (i === Number(index) ? target.value : word));
    setValue("stages-words", [...new Set(changed)].length === 1 ? changed[0] : changed.join(" "));
  }

  async function update() {
    const found = factorsOf(valueOf("stages-factors"));
    refuse("stages", found ? "" : `Factors must be 1 to ${MOST_STAGES} whole numbers from 2 to 8, one for each stage with spaces between, as in 2 2 2 2 2 2 2, with a product of at most ${MOST_PRODUCT}. Received: ${valueOf("stages-factors") || "nothing"}`);
    if (!found) return;
    factors = found;
    list();
    sounds.clear();
    const now = (generation += 1);
    mine = null;
    main();
    one("#stages-said").textContent = COMPUTING;
    for (const word of words) {
      cards[word]();
      one(`#stages-${word}-said`).textContent = COMPUTING;
    }
    const made = await compute(upsamplers());
    if (now !== generation) return;
    mine = made;
    main();
    one("#stages-said").textContent = `Lines with a number: where that stage can leave a line. Short ticks at the foot: the same for stages with more lines than numbers fit. At ${lastLine(plotOf(mine, factors))}.`;
    for (const word of words) {
      const sound = await compute(factors.map(() => word));
      if (now !== generation) return;
      sounds.set(word, sound);
      cards[word]();
      one(`#stages-${word}-said`).textContent = lastLine(plotOf(sound, factors));
    }
  }

  const sounding = async (word) => ({ samples: sounds.get(word) ?? await compute(factors.map(() => word)), rate: RATE });
  player("stages-hear", async () => ({ samples: mine ?? await compute(upsamplers()), rate: RATE }));
  words.forEach((word) => player(`stages-hear-${word}`, () => sounding(word)));
  onClick("stages-draw", () => { stop(); setValue("stages-seed", valueOf("stages-seed") + 1); });
  one("#stages").addEventListener("change", choose);
  let waiting = null;
  let seen = false;
  const soon = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => seen && update(), 150);
  };
  one("#stages").addEventListener("input", (event) => { if (!event.target.dataset.stage) soon(); });
  new IntersectionObserver((entries) => {
    if (seen || !entries.some((entry) => entry.isIntersecting)) return;
    seen = true;
    update();
  }, { rootMargin: "800px" }).observe(one("#stages"));
}
