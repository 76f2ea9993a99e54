// The discrete Fourier transform, of any length.
// Sources: J. Cooley, J. Tukey (1965) for powers of two; L. Bluestein (1970) for other lengths.

const roots = new Map();

// Cosines and sines of one turn in `length` steps.
function rootsOf(length) {
  if (!roots.has(length)) {
    const turn = (2 * Math.PI) / length;
    roots.set(length, {
      cos: Float64Array.from({ length }, (_, k) => Math.cos(turn * k)),
      sin: Float64Array.from({ length }, (_, k) => Math.sin(turn * k)),
    });
  }
  return roots.get(length);
}

function reorder(re, im) {
  const length = re.length;
  for (let i = 1, j = 0; i < length; i += 1) {
    let bit = length >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [re[i], re[j]] = [re[j], re[i]];
      [im[i], im[j]] = [im[j], im[i]];
    }
  }
}

function transformPowerOfTwo(re, im) {
  const length = re.length;
  const { cos, sin } = rootsOf(length);
  reorder(re, im);
  for (let half = 1; half < length; half *= 2) {
    const step = length / (2 * half);
    for (let start = 0; start < length; start += 2 * half) {
      for (let k = 0; k < half; k += 1) {
        const [a, b] = [start + k, start + k + half];
        const [c, s] = [cos[k * step], -sin[k * step]];
        const [x, y] = [re[b] * c - im[b] * s, re[b] * s + im[b] * c];
        re[b] = re[a] - x;
        im[b] = im[a] - y;
        re[a] += x;
        im[a] += y;
      }
    }
  }
}

// A transform of any length as a convolution with a chirp.
function transformBluestein(re, im) {
  const length = re.length;
  const { cos, sin } = rootsOf(2 * length);
  const size = 2 ** Math.ceil(Math.log2(2 * length - 1));
  const [ar, ai, br, bi] = Array.from({ length: 4 }, () => new Float64Array(size));
  const square = (n) => Number((BigInt(n) * BigInt(n)) % BigInt(2 * length));
  for (let n = 0; n < length; n += 1) {
    const [c, s] = [cos[square(n)], sin[square(n)]];
    ar[n] = re[n] * c + im[n] * s;
    ai[n] = im[n] * c - re[n] * s;
    br[n] = br[(size - n) % size] = c;
    bi[n] = bi[(size - n) % size] = s;
  }
  transformPowerOfTwo(ar, ai);
  transformPowerOfTwo(br, bi);
  for (let k = 0; k < size; k += 1) {
    [ar[k], ai[k]] = [ar[k] * br[k] - ai[k] * bi[k], ar[k] * bi[k] + ai[k] * br[k]];
  }
  transformPowerOfTwo(ai, ar); // swapped: the inverse, times `size`
  for (let k = 0; k < length; k += 1) {
    const [c, s] = [cos[square(k)], sin[square(k)]];
    re[k] = (ar[k] * c + ai[k] * s) / size;
    im[k] = (ai[k] * c - ar[k] * s) / size;
  }
}

// Transforms in place: X[k] = sum of x[n] exp(-2 pi i k n / length).
export function fourier(re, im) {
  if (re.length > 1) (re.length & (re.length - 1) ? transformBluestein : transformPowerOfTwo)(re, im);
}

// The inverse, in place.
export function inverseFourier(re, im) {
  fourier(im, re);
  for (let n = 0; n < re.length; n += 1) {
    re[n] /= re.length;
    im[n] /= re.length;
  }
}
