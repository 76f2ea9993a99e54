// The arithmetic of wavegan_rc.theory for one channel; a test compares the two.
import { fourier } from "./fourier.js";

export const sum = (values) => values.reduce((a, b) => a + b, 0);
export const range = (count) => Array.from({ length: count }, (_, i) => i);
export const decibels = (power) => 10 * Math.log10(power);

// Number of kernel copies that meet at each output phase of a transposed convolution.
export function overlapCounts(kernelSize, factor) {
  const counts = Array(factor).fill(0);
  for (let k = 0; k < kernelSize; k += 1) counts[k % factor] += 1;
  return counts;
}

// Gain of each output phase for a constant, from the taps that meet there.
export function phaseGains(fold, kernel) {
  return fold.matrix.map((rows) => sum(rows.map((row) => sum(row.map((w, k) => w * kernel[k])))));
}

// Power of the tones that a constant becomes, in dB relative to the constant:
// tone k lies at k / factor of the output rate.
export function toneLevels(gains) {
  const [re, im] = [Float64Array.from(gains), new Float64Array(gains.length)];
  const rounding = 1e-12 * sum(gains.map(Math.abs));
  fourier(re, im);
  return range(Math.floor(gains.length / 2)).map((i) => {
    const k = i + 1;
    const size = Math.hypot(re[k], im[k]);
    const twins = 2 * k < gains.length ? 2 : 1;
    return size < rounding ? -Infinity : decibels(twins * (size / Math.hypot(re[0], im[0])) ** 2);
  });
}

// What repeats with the period of a stage's and all later factors leaves lines at multiples of
// rate / period. A line of several stages belongs to the last.
export function predictedComb(factors, rate) {
  const periods = factors.map((_, i) => factors.slice(i).reduce((a, b) => a * b, 1));
  return range(Math.floor(periods[0] / 2)).map((i) => {
    const k = i + 1;
    const stage = periods.findLastIndex((period) => (k * period) % periods[0] === 0) + 1;
    return { hz: (k * rate) / periods[0], stage };
  });
}

// A convolution and its transpose: kernel size, stride, padding, dilation, output padding.
export function transposedLength(length, { kernelSize, stride, padding, dilation, outputPadding }) {
  return (length - 1) * stride - 2 * padding + dilation * (kernelSize - 1) + outputPadding + 1;
}

export function convolvedLength(length, { kernelSize, stride, padding, dilation }) {
  return Math.floor((length + 2 * padding - dilation * (kernelSize - 1) - 1) / stride) + 1;
}

// The matrix of the strided convolution that takes `outputs` samples to `inputs` samples;
// its transpose is the transposed convolution.
export function convolutionMatrix(kernel, inputs, outputs, { stride, padding, dilation }) {
  const matrix = range(inputs).map(() => Array(outputs).fill(0));
  matrix.forEach((row, n) => kernel.forEach((tap, k) => {
    const m = n * stride + k * dilation - padding;
    if (m >= 0 && m < outputs) row[m] += tap;
  }));
  return matrix;
}

export function timesTransposed(matrix, signal) {
  return matrix[0].map((_, m) => sum(matrix.map((row, n) => row[m] * signal[n])));
}

// Adds one weighted copy of the kernel for each input sample.
export function scatterAdd(signal, kernel, geometry) {
  const output = Array(transposedLength(signal.length, geometry)).fill(0);
  signal.forEach((sample, n) => kernel.forEach((tap, k) => {
    const m = n * geometry.stride + k * geometry.dilation - geometry.padding;
    if (m >= 0 && m < output.length) output[m] += sample * tap;
  }));
  return output;
}

// The same in three steps: zeros between the samples, zeros (or a cut) at the ends, and an
// ordinary convolution with the reversed kernel.
export function zeroInsertion(signal, kernel, geometry) {
  const { stride, padding, dilation, outputPadding } = geometry;
  const stuffed = Array((signal.length - 1) * stride + 1).fill(0);
  signal.forEach((sample, n) => { stuffed[n * stride] = sample; });
  const reach = dilation * (kernel.length - 1);
  const around = reach - padding;
  const at = (i) => stuffed[i - around] ?? 0;
  const padded = range(Math.max(0, stuffed.length + 2 * around + outputPadding)).map(at);
  const reversed = [...kernel].reverse();
  const output = range(padded.length - reach).map(
    (m) => sum(reversed.map((tap, k) => tap * padded[m + k * dilation])),
  );
  return { stuffed, padded, reversed, output };
}

// The fixed filter and a learned kernel of K taps as one kernel at the low rate; entry [p][t][k]
// of the matrix is the weight of tap k in low-rate tap t of output phase p. The interpolation
// filter comes from Python: its taps at the high rate and the lag of the first.
export function polyphaseFold(upsampler, { taps, first }, kernelSize, factor) {
  const found = [];
  for (let p = 0; p < factor; p += 1) {
    for (let k = 0; k < kernelSize; k += 1) {
      for (let j = 0; j < taps.length; j += 1) {
        const lag = lagOf(upsampler, p, k, j, first, kernelSize, factor);
        if (lag !== null && lag % factor === 0) found.push([p, lag / factor, k, taps[j]]);
      }
    }
  }
  const offsets = found.map(([, offset]) => offset);
  const before = Math.max(0, -Math.min(...offsets));
  const after = Math.max(0, Math.max(...offsets));
  const matrix = range(factor).map(
    () => range(before + after + 1).map(() => Array(kernelSize).fill(0)),
  );
  found.forEach(([p, offset, k, weight]) => { matrix[p][offset + before][k] += weight; });
  return { matrix, before, after };
}

function lagOf(upsampler, p, k, j, first, kernelSize, factor) {
  if (upsampler === "subpixel") {
    if (k % factor !== p) return null;
    return k - p - Math.floor((kernelSize / factor - 1) / 2) * factor;
  }
  if (upsampler === "transposed") return p + Math.floor(Math.max(kernelSize - factor, 0) / 2) - k;
  return p + k - Math.floor((kernelSize - 1) / 2) - first - j;
}

// The taps of each output phase, and the output that they make in turn (dilation 1).
export function polyphase(signal, kernel, geometry) {
  const { stride, padding } = geometry;
  const kernels = range(stride).map((p) => kernel.filter((_, k) => k % stride === (p + padding) % stride));
  const output = range(transposedLength(signal.length, geometry)).map((m) => {
    const first = (m + padding) % stride;
    return sum(kernels[m % stride].map((tap, i) => tap * (signal[(m + padding - first) / stride - i] ?? 0)));
  });
  return { kernels, output };
}
