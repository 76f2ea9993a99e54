// Section 2: one transposed convolution in four views.
import { box, drawing, element, hue, line, number, one, onClick, pointing, refuse, text, valueOf } from "./dom.js";
import { convolutionMatrix, polyphase, scatterAdd, sum, timesTransposed, transposedLength, zeroInsertion } from "./theory.js";

const SIGNAL = [1, 3, 2, 4];
const TAPS = [1, 2, 4, 3, 5, 2];
const ROW = 32;
const NAMES = 104;

// Width of a cell, narrower on a phone: as wide as `count` of them allow.
const cellOf = (width, count) => Math.max(22, Math.min(40, Math.floor((width - NAMES) / count)));

// A row of cells with numbers, from a column on.
function cells(cell, values, y, start = 0, look = () => ({})) {
  return values.flatMap((value, i) => {
    const { fill = "var(--tint)", opacity = 1, bold = false } = look(i);
    const x = NAMES + (start + i) * cell;
    return [box(x + 1, y, cell - 3, ROW - 4, { fill, rx: 4, "fill-opacity": fill.startsWith("oklch") ? 0.45 : 1, opacity }),
      text(value, x + cell / 2 - 1, y + ROW / 2 + 3, { "text-anchor": "middle", opacity, "font-weight": bold ? 700 : 400 })];
  });
}

const named = (words, y) => text(words, 0, y + ROW / 2 + 3, { class: "faint" });

export function startViews() {
  let painted = SIGNAL.length;
  let chosen = [1, 2];
  let timer = null;
  const now = () => {
    const [kernelSize, stride, padding] = ["kernel", "stride", "padding"].map((name) => valueOf(`views-${name}`));
    const geometry = { kernelSize, stride, padding, dilation: 1, outputPadding: 0 };
    return { kernel: TAPS.slice(0, kernelSize), geometry, length: transposedLength(SIGNAL.length, geometry) };
  };
  const fits = () => now().length >= 1;
  const drawn = (id, draw) => drawing(id, (width) => (fits() ? draw(width) : [0, []]));
  const redraw = [
    drawn("views-scatter", (width) => scatter(width, now(), painted)),
    drawn("views-zeros", (width) => zeros(width, now())),
    drawn("views-phases", (width) => phases(width, now())),
  ];

  function paint(count) {
    painted = count;
    one("#views-said").textContent = count
      ? `input ${count} of ${SIGNAL.length}: ${SIGNAL[count - 1]} times the kernel, ${(count - 1) * now().geometry.stride} samples from the start`
      : "nothing painted yet";
    redraw[0]();
  }
  function stopPlay() {
    clearInterval(timer);
    timer = null;
    one("#views-play").textContent = "Play";
    one("#views-play").setAttribute("aria-pressed", "false");
  }
  function play() {
    if (timer) {
      stopPlay();
      return;
    }
    paint(0);
    one("#views-play").textContent = "Stop";
    one("#views-play").setAttribute("aria-pressed", "true");
    timer = setInterval(() => {
      paint(painted + 1);
      if (painted === SIGNAL.length) stopPlay();
    }, 900);
  }

  function choose(row, column) {
    const { kernel, geometry, length } = now();
    chosen = [Math.min(Math.max(row, 0), SIGNAL.length - 1), Math.min(Math.max(column, 0), length - 1)];
    const [n, m] = chosen;
    const matrix = convolutionMatrix(kernel, SIGNAL.length, length, geometry);
    one("#views-matrix").replaceChildren(grid("C", matrix, n, m, "row", "column"),
      grid("C transposed", matrix[0].map((_, c) => matrix.map((r) => r[c])), m, n, "column", "row"));
    const terms = SIGNAL.map((x, i) => [matrix[i][m], x]).filter(([tap]) => tap).map(([tap, x]) => `${tap}\u00b7${x}`);
    one("#views-cell").textContent = `Row ${n + 1} of C makes sample ${n + 1} of the short signal; in the transpose it is the copy that short sample ${n + 1} paints. Column ${m + 1} makes sample ${m + 1} of the long signal, the output of the transpose: ${terms.join(" + ") || "nothing"} = ${sum(SIGNAL.map((x, i) => x * matrix[i][m]))}.`;
  }

  function update() {
    refuse("views", fits() ? "" : `With this padding nothing is left of the output: its length would be ${now().length}. Lower P, or raise K or s.`);
    if (!fits()) return;
    stopPlay();
    paint(SIGNAL.length);
    redraw.forEach((each) => each());
    choose(...chosen);
    const { kernel, geometry, length } = now();
    const outputs = [scatterAdd(SIGNAL, kernel, geometry),
      timesTransposed(convolutionMatrix(kernel, SIGNAL.length, length, geometry), SIGNAL),
      zeroInsertion(SIGNAL, kernel, geometry).output, polyphase(SIGNAL, kernel, geometry).output];
    const difference = Math.max(...outputs.flatMap((output) => output.map((x, m) => Math.abs(x - outputs[0][m]))));
    one("#views-agree").textContent = `All four: ${outputs[0].join(", ")}. Largest difference: ${number(difference, 0)}.`;
  }

  onClick("views-step", () => { stopPlay(); paint((painted % SIGNAL.length) + 1); });
  onClick("views-play", play);
  pointing(one("#views-matrix"), choose, (down, right) => choose(chosen[0] + down, chosen[1] + right));
  one("#views").addEventListener("input", update);
  update();
}

function grid(title, matrix, row, column, rowClass, columnClass) {
  const made = element("div", { class: "grid", style: `grid-template-columns: repeat(${matrix[0].length}, auto)` });
  matrix.forEach((values, r) => values.forEach((value, c) => {
    const lit = [r === row && rowClass, c === column && columnClass, value === 0 && "zero"].filter(Boolean).join(" ");
    made.append(element("span", { class: lit, "data-at": rowClass === "row" ? `${r} ${c}` : `${c} ${r}` }, String(value)));
  }));
  return element("div", {}, element("p", { class: "said" }, title), made);
}

function scatter(width, { kernel, geometry, length }, painted) {
  const { stride, padding } = geometry;
  const whole = (SIGNAL.length - 1) * stride + kernel.length;
  const cell = cellOf(width, whole);
  const kept = (m) => m >= padding && m < padding + length;
  const shapes = [];
  const total = Array(whole).fill(0);
  SIGNAL.forEach((sample, n) => {
    const y = n * ROW;
    shapes.push(named(`${sample} \u00d7 kernel`, y));
    if (n >= painted) return;
    shapes.push(...cells(cell, kernel.map((tap) => sample * tap), y, n * stride, (k) => ({ fill: hue(n), opacity: kept(n * stride + k) ? 1 : 0.3 })));
    kernel.forEach((tap, k) => { total[n * stride + k] += sample * tap; });
  });
  const y = SIGNAL.length * ROW + 10;
  shapes.push(line(0, y - 6, NAMES + whole * cell, y - 6), named(padding ? "sum, ends cut" : "sum", y),
    ...cells(cell, total, y, 0, (m) => ({ opacity: kept(m) ? 1 : 0.3, bold: true })));
  return [y + ROW, shapes, NAMES + whole * cell];
}

function zeros(width, { kernel, geometry }) {
  const { stuffed, padded, reversed, output } = zeroInsertion(SIGNAL, kernel, geometry);
  const around = kernel.length - 1 - geometry.padding;
  const start = Math.max(0, around);
  const isData = (i) => i >= 0 && i < stuffed.length && i % geometry.stride === 0;
  const sampleLook = (shift) => (i) => (isData(i + shift) ? { fill: hue((i + shift) / geometry.stride) } : {});
  const rows = [
    ["input", SIGNAL, start, (n) => ({ fill: hue(n) })],
    ["1 insert zeros", stuffed, start, sampleLook(0)],
    [around < 0 ? "2 cut the ends" : "2 pad with zeros", padded, Math.max(0, -around), sampleLook(-around)],
    ["3 slide kernel", reversed, Math.max(0, -around), () => ({ fill: "none", bold: true })],
    ["output", output, Math.max(0, -around), () => ({ bold: true })],
  ];
  const widest = Math.max(...rows.map(([, values, from]) => from + values.length));
  const cell = cellOf(width, widest);
  const shapes = rows.flatMap(([words, values, from, look], r) => [named(words, r * (ROW + 8)), ...cells(cell, values, r * (ROW + 8), from, look)]);
  return [rows.length * (ROW + 8), shapes, NAMES + widest * cell];
}

function phases(width, { kernel, geometry }) {
  const { kernels, output } = polyphase(SIGNAL, kernel, geometry);
  const cell = cellOf(width, output.length);
  const shapes = kernels.flatMap((taps, p) => [
    named(`phase ${p}`, p * ROW), ...cells(cell, taps.length ? taps : ["\u2013"], p * ROW, 0, () => ({ fill: hue(p) })),
    text(`sum ${sum(taps)}`, NAMES + Math.max(1, Math.ceil(kernel.length / geometry.stride)) * cell + 12, p * ROW + ROW / 2 + 3, { class: "faint" }),
  ]);
  const y = geometry.stride * ROW + 12;
  shapes.push(named("outputs in turn", y), ...cells(cell, output, y, 0, (m) => ({ fill: hue(m % geometry.stride), bold: true })));
  return [y + ROW, shapes, NAMES + output.length * cell];
}
