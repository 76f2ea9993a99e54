// Section 1: which taps meet at an output sample, and the tone that their sums make.
import { box, drawing, hertz, hue, level, line, one, onClick, setValue, shape, short, text, valueOf } from "./dom.js";
import { normal } from "./random.js";
import { overlapCounts, phaseGains, polyphaseFold, range, sum, toneLevels } from "./theory.js";

const OUTPUT_RATE = 16000;

function tapsOf(kind, size, factor, seed) {
  if (kind === "random") {
    const next = normal(seed);
    return range(size).map(() => 1 + 0.5 * next());
  }
  if (kind === "equal") return Array(size).fill(1);
  const centre = (size - 1) / 2;
  return range(size).map((k) => Math.max(0, 1 - Math.abs(k - centre) / factor));
}

const isEven = (counts) => counts.every((count) => count === counts[0]);

const meet = (count) => (count === 1 ? "1 tap lies" : `${count} taps meet`);

function said(counts, factor) {
  const size = sum(counts);
  const rest = size % factor;
  const times = `${size} = ${Math.floor(size / factor)} \u00d7 ${factor}${rest ? ` + ${rest}` : ""}`;
  return isEven(counts)
    ? `K is a multiple of s (${times}): ${meet(counts[0])} at every output sample.`
    : `K is no multiple of s (${times}): ${meet(Math.max(...counts))} at ${rest} of ${factor} output samples, ${Math.min(...counts) || "none"} at the other${factor - rest > 1 ? "s" : ""}.`;
}

function toneSaid(gains) {
  const levels = toneLevels(gains);
  const k = levels.indexOf(Math.max(...levels)) + 1;
  const strongest = levels[k - 1];
  if (strongest === -Infinity) return "all gains equal: no tone";
  const against = Math.abs(strongest) < 0.05 ? "as strong as" : "relative to";
  return `gains differ: a tone of ${level(strongest)} at ${hertz((k * OUTPUT_RATE) / gains.length)}, ${against} the constant`;
}

export function startOverlap(interpolation) {
  const now = () => {
    const [size, factor] = [valueOf("overlap-kernel"), valueOf("overlap-factor")];
    return { size, factor, kernel: tapsOf(valueOf("overlap-taps"), size, factor, valueOf("overlap-seed")) };
  };
  const gainsOf = (upsampler) => {
    const { size, factor, kernel } = now();
    return phaseGains(polyphaseFold(upsampler, interpolation[upsampler][factor], size, factor), kernel);
  };
  const redraw = [
    drawing("overlap-picture", (width) => tapPicture(width, now())),
    drawing("overlap-transposed-gains", (width) => gainPicture(width, gainsOf("transposed"))),
    drawing("overlap-resize-gains", (width) => gainPicture(width, gainsOf("resize"))),
    drawing("overlap-board", (width) => board(width, now())),
  ];
  const update = () => {
    const { size, factor } = now();
    one("#overlap-draw").hidden = valueOf("overlap-taps") !== "random";
    const counts = overlapCounts(size, factor);
    one("#overlap-counts").textContent = said(counts, factor);
    one("#overlap-transposed").textContent = toneSaid(gainsOf("transposed"));
    one("#overlap-resize").textContent = toneSaid(gainsOf("resize"));
    one("#overlap-products").textContent = isEven(counts)
      ? `${counts[0]} \u00d7 ${counts[0]} = ${counts[0] ** 2} taps at every pixel`
      : `${[...new Set(counts.flatMap((a) => counts.map((b) => a * b)))].sort((a, b) => a - b).join(", ")} taps, in turn`;
    redraw.forEach((each) => each());
  };
  one("#overlap").addEventListener("input", update);
  one("#overlap details").addEventListener("toggle", redraw[3]);
  onClick("overlap-draw", () => setValue("overlap-seed", valueOf("overlap-seed") + 1));
  update();
}

// Input samples above, and below each output sample the taps that meet there.
function tapPicture(width, { size, factor, kernel }) {
  const step = Math.max(14, Math.min(26, Math.floor(width / 34)));
  const outputs = Math.floor(width / step);
  const most = Math.ceil(size / factor);
  const tall = Math.min(16, 150 / most);
  const [first, last] = [Math.ceil(-(size - 1) / factor), Math.floor((outputs - 1) / factor)];
  const greatest = Math.max(...kernel.map(Math.abs));
  const base = 62 + most * tall;
  const shapes = [text("input", 0, 12, { class: "faint" })];
  const heights = Array(outputs).fill(0);
  for (let n = first; n <= last; n += 1) {
    const x = (n * factor + 0.5) * step;
    if (n >= 0) {
      shapes.push(shape("circle", { cx: x, cy: 26, r: 6, fill: hue(n) }));
      shapes.push(line(x, 34, x, base - heights[n * factor] * tall - tall - 4, { style: `stroke: ${hue(n)}; opacity: 0.5` }));
    }
    kernel.forEach((tap, k) => {
      const m = n * factor + k;
      if (m < 0 || m >= outputs) return;
      const inset = 0.5 * (tall - 2) * (1 - Math.abs(tap) / greatest);
      shapes.push(box(m * step + 1, base - (heights[m] + 1) * tall + inset, step - 2, tall - 1 - 2 * inset, { fill: hue(n), rx: 2, opacity: tap < 0 ? 0.45 : 1 }));
      heights[m] += 1;
    });
  }
  heights.forEach((count, m) => shapes.push(text(count, (m + 0.5) * step, base + 18, { "text-anchor": "middle", "font-weight": count === most ? 700 : 400 })));
  shapes.push(text("taps that meet at each output sample", 0, base + 38, { class: "faint" }));
  return [base + 46, shapes];
}

// The output for a constant, as bars: the gains in turn. Where bars are narrow, numbers stand upright.
function gainPicture(width, gains) {
  const height = 170;
  const bars = 16;
  const step = width / bars;
  const upright = gains.length > 4;
  const most = Math.max(...gains.map(Math.abs));
  const zero = gains.some((gain) => gain < 0) ? height / 2 : height - 24;
  const scale = (zero - (upright ? 58 : 40)) / most;
  const label = (gain, x, y) => text(short(gain), x, y, upright
    ? { "text-anchor": gain > 0 ? "start" : "end", transform: `rotate(-90 ${x} ${y}) translate(0 4)` } : { "text-anchor": "middle" });
  const shapes = range(bars).flatMap((m) => {
    const gain = gains[m % gains.length];
    const [x, size] = [m * step, Math.abs(gain) * scale];
    const shown = m < gains.length ? [label(gain, x + step / 2, gain > 0 ? zero - size - 5 : zero + size + (upright ? 5 : 12))] : [];
    return [box(x + 2, gain > 0 ? zero - size : zero, step - 4, size, { fill: hue(m % gains.length), rx: 2 }), ...shown];
  });
  return [height, [...shapes, line(0, zero, width, zero), text("gain", 0, 12, { class: "faint" }), text("output samples \u2192", 0, height - 6, { class: "faint" })]];
}

// The two-dimensional counts, as a board.
function board(width, { size, factor }) {
  const counts = overlapCounts(size, factor);
  const cells = Math.min(16, Math.max(8, 2 * factor));
  const step = Math.min(40, Math.floor(width / cells));
  const most = Math.max(...counts) ** 2;
  return [step * cells, range(cells ** 2).flatMap((i) => {
    const [row, column] = [Math.floor(i / cells), i % cells];
    const product = counts[row % factor] * counts[column % factor];
    return [box(column * step, row * step, step - 1, step - 1, { fill: "var(--accent)", opacity: 0.05 + (0.35 * product) / most }),
      text(product, (column + 0.5) * step, (row + 0.5) * step + 4, { "text-anchor": "middle" })];
  })];
}
