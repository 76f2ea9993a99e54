// Power spectra and the prominence of lines, as in wavegan_rc.spectrogram.
import { fourier, inverseFourier } from "./fourier.js";
import { decibels, range, sum } from "./theory.js";

// Mean power of each bin over segments of equal length, under a Hann window.
export function meanPowerSpectrum(segments) {
  const length = segments[0].length;
  const window = range(length).map((n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / length));
  const scale = 1 / (sum(window) ** 2 * segments.length);
  const power = new Float64Array(Math.floor(length / 2) + 1);
  for (const segment of segments) {
    const [re, im] = [Float64Array.from(segment, (x, n) => x * window[n]), new Float64Array(length)];
    fourier(re, im);
    power.forEach((_, k) => { power[k] += scale * (re[k] ** 2 + im[k] ** 2) * twins(k, length); });
  }
  return power;
}

// All bins but 0 Hz and half the rate include the power of a negative twin.
const twins = (k, length) => (k === 0 || 2 * k === length ? 1 : 2);

// Power of each line over the median of the bins 3 to 8 away, in dB; NaN where too few remain.
export function lineProminences(power, linesHz, rate) {
  const length = 2 * (power.length - 1);
  const bins = linesHz.map((hz) => Math.round((hz * length) / rate));
  const reached = new Set(bins.flatMap((bin) => [-2, -1, 0, 1, 2].map((shift) => bin + shift)));
  const levelled = power.map((value, k) => (2 * value) / twins(k, length));
  return bins.map((bin) => {
    const near = range(17).map((i) => bin - 8 + i).filter((k) => k in levelled && !reached.has(k));
    const around = median(near.map((k) => levelled[k]));
    return near.length < 4 || !(around > 0) ? NaN : decibels(levelled[bin] / around);
  });
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

// Power above an edge over all power, in dB.
export function outOfBandRatio(power, edgeHz, rate) {
  const hz = rate / (2 * (power.length - 1));
  return decibels(sum(power.filter((_, k) => k * hz > edgeHz)) / sum(power));
}

// Keeps the bins of a signal whose frequency passes, and removes the others.
export function keepFrequencies(signal, rate, passes) {
  const length = signal.length;
  const [re, im] = [Float64Array.from(signal), new Float64Array(length)];
  fourier(re, im);
  for (let k = 0; k < length; k += 1) {
    if (!passes((Math.min(k, length - k) * rate) / length)) re[k] = im[k] = 0;
  }
  inverseFourier(re, im);
  return Float32Array.from(re);
}

// Raises the rate by a whole number without loss: zeros above the old spectrum. A tone at half
// the old rate stays, which a player's own filter would remove.
export function resampled(signal, times) {
  const length = signal.length;
  const [re, im] = [Float64Array.from(signal), new Float64Array(length)];
  fourier(re, im);
  const [wideRe, wideIm] = [new Float64Array(length * times), new Float64Array(length * times)];
  for (let k = 0; k < length; k += 1) {
    const share = 2 * k === length ? 0.5 : 1;
    const place = 2 * k > length ? k + length * (times - 1) : k;
    wideRe[place] = share * times * re[k];
    wideIm[place] = share * times * im[k];
    if (share < 1) [wideRe[length * times - k], wideIm[length * times - k]] = [wideRe[k], -wideIm[k]];
  }
  inverseFourier(wideRe, wideIm);
  return Float32Array.from(wideRe);
}

// Mean square under the A-weighting of IEC 61672, a plain measure of loudness.
export function weightedPower(signal, rate) {
  const length = signal.length;
  const [re, im] = [Float64Array.from(signal), new Float64Array(length)];
  fourier(re, im);
  let power = 0;
  for (let k = 1; k <= length / 2; k += 1) {
    power += twins(k, length) * (re[k] ** 2 + im[k] ** 2) * weight((k * rate) / length) ** 2;
  }
  return power / length ** 2;
}

function weight(hz) {
  const f = hz ** 2;
  const others = Math.sqrt((f + 107.7 ** 2) * (f + 737.9 ** 2));
  return (1.2589 * 12194 ** 2 * f ** 2) / ((f + 20.6 ** 2) * others * (f + 12194 ** 2));
}
