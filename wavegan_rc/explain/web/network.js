// The forward pass of a generator: dense layer, upsampling stages with ReLU, tanh, optional filter.
// A feature map is a flat array, time by time all channels.

const relu = (x) => x.map((value) => Math.max(value, 0));

// The input position that a padded position shows; -1: a zero.
function source(position, length, padding) {
  if (position >= 0 && position < length) return position;
  if (padding === "zeros") return -1;
  if (padding === "edge" || length === 1) return position < 0 ? 0 : length - 1;
  const turn = 2 * (length - 1);
  const inside = ((position % turn) + turn) % turn;
  return inside < length ? inside : turn - inside;
}

// A convolution of stride 1 with `before` positions of padding at the start; the output is as long
// as the input. Kernel: tap by tap, channel by channel, all outputs.
function convolve(x, kernel, { taps, channels, outputs, before, bias, padding }) {
  const length = x.length / channels;
  const result = new Float32Array(length * outputs);
  const total = new Float64Array(outputs);
  for (let n = 0; n < length; n += 1) {
    total.fill(0);
    if (bias) total.set(bias);
    for (let t = 0; t < taps; t += 1) {
      const from = source(n + t - before, length, padding);
      if (from < 0) continue;
      for (let c = 0; c < channels; c += 1) {
        const value = x[from * channels + c];
        if (value === 0) continue; // after ReLU, about half of all
        const row = (t * channels + c) * outputs;
        for (let o = 0; o < outputs; o += 1) total[o] += value * kernel[row + o];
      }
    }
    result.set(total, n * outputs);
  }
  return result;
}

function timesMatrix(x, matrix, columns, bias) {
  const result = new Float64Array(columns);
  if (bias) result.set(bias);
  x.forEach((value, row) => {
    for (let o = 0; o < columns; o += 1) result[o] += value * matrix[row * columns + o];
  });
  return Float32Array.from(result);
}

// One stage: all phases of an output block are channels of one convolution at the low rate, so the
// result in memory is the output at the high rate. Ends: see wavegan_rc.theory.polyphase.
export function upsample(x, stage, padding = "zeros") {
  const result = convolve(x, stage.kernel, { ...stage, padding });
  for (const [end, atStart] of [[stage.head, true], [stage.tail, false]]) {
    if (!end) continue;
    const inputs = atStart ? x.subarray(0, end.rows) : x.subarray(x.length - end.rows);
    const start = atStart ? 0 : result.length - end.columns;
    timesMatrix(inputs, end.matrix, end.columns).forEach((v, i) => { result[start + i] += v; });
  }
  return result;
}

// The audio of one latent vector, and the input of the last stage.
export function forward({ dense, stages, postFilter, padding }, latents) {
  let x = timesMatrix(latents, dense.kernel, dense.columns, dense.bias);
  let input = x;
  for (const stage of stages) {
    input = relu(x);
    x = upsample(input, stage, padding);
  }
  x = x.map(Math.tanh);
  if (postFilter) {
    const taps = postFilter.length;
    const before = Math.floor((taps - 1) / 2);
    x = convolve(x, postFilter, { taps, channels: 1, outputs: 1, before, padding: "zeros" });
  }
  return { audio: x, input };
}

// Arrays of a generator from the text that Python wrote: one array of float32 for all.
export function readGenerator(written) {
  const bytes = Uint8Array.from(atob(written.weights), (character) => character.charCodeAt(0));
  const values = new Float32Array(bytes.buffer);
  const array = (place) => (place ? values.subarray(place[0], place[0] + place[1]) : undefined);
  const end = (place) => place && { matrix: array(place.matrix), rows: place.rows, columns: place.columns };
  return {
    ...written,
    dense: { kernel: array(written.dense.kernel), bias: array(written.dense.bias), columns: written.dense.columns },
    stages: written.stages.map((stage) => ({
      ...stage,
      kernel: array(stage.kernel),
      bias: array(stage.bias),
      head: end(stage.head),
      tail: end(stage.tail),
    })),
    postFilter: array(written.postFilter),
  };
}
