// Curves over frequency and over time.
import { box, drawing, hertz, line, number, path, shape, short, stageColour, text } from "./dom.js";

const LEFT = 38;
const BOTTOM = 34;
const TOP = 22;
// Pixels between neighbouring lines, at least: for a line with its number, and for a tick at all.
const ROOM_FOR_NUMBER = 28;
const ROOM_FOR_TICK = 3;

// A spectrum in dB with the predicted lines of each stage. `content` returns null while there is
// nothing, else { curves: [{ db, kind }], rate, lines, stages, top, floor, edgeHz }.
export function spectrumPlot(id, height, content) {
  return drawing(id, (width) => {
    const shown = content();
    if (!shown) return [height, []];
    const { curves, rate, lines, stages, top, floor, edgeHz } = shown;
    const right = width - 6;
    const x = (hz) => LEFT + ((right - LEFT) * 2 * hz) / rate;
    const y = (db) => TOP + ((height - TOP - BOTTOM) * (top - Math.min(Math.max(db, floor), top))) / (top - floor);
    const shapes = [];
    if (edgeHz) shapes.push(box(x(edgeHz), TOP, right - x(edgeHz), height - TOP - BOTTOM, { class: "bandshade" }));
    for (const { hz, stage } of lines) {
      const room = (right - LEFT) / lines.filter((other) => other.stage >= stage).length;
      if (room < ROOM_FOR_TICK) continue;
      const numbered = room >= ROOM_FOR_NUMBER;
      shapes.push(line(x(hz), numbered ? TOP - 4 : height - BOTTOM - 8, x(hz), height - BOTTOM, {
        style: `stroke: ${stageColour(stage, stages)}; stroke-width: ${numbered ? 2 : 1}; opacity: ${numbered ? 0.55 : 0.8}`,
      }));
      if (numbered) shapes.push(text(stage, x(hz), TOP - 8, { "text-anchor": "middle", style: "font-size: 11px" }));
    }
    shapes.push(...axes({ width: right, height, rate, top, floor, x, y }));
    for (const { db, kind } of curves) {
      const step = rate / 2 / (db.length - 1);
      shapes.push(path([...db].map((value, k) => [x(k * step), y(value)]), { class: `curve ${kind}` }));
    }
    return [height, shapes];
  });
}

function axes({ width, height, rate, top, floor, x, y }) {
  const shapes = [line(LEFT, height - BOTTOM, width, height - BOTTOM)];
  const every = width > 500 ? 8 : width > 320 ? 4 : 2;
  for (let i = 0; i <= every; i += 1) {
    const hz = (rate / 2) * (i / every);
    const anchor = i === every ? "end" : "middle";
    shapes.push(text(i === every ? hertz(hz) : Number(hz.toFixed(1)), x(hz), height - BOTTOM + 17, { "text-anchor": anchor, class: "faint" }));
  }
  for (let db = Math.ceil(floor / 20) * 20; db <= top; db += 20) {
    shapes.push(text(number(db, 0), LEFT - 6, y(db) + 4, { "text-anchor": "end", class: "faint" }));
    shapes.push(line(LEFT, y(db), width, y(db), { style: "opacity: 0.5" }));
  }
  shapes.push(text("dB", LEFT - 6, 10, { "text-anchor": "end", class: "faint" }));
  return shapes;
}

// A plot around zero: the greatest value and its opposite at the left, names of both axes.
function aroundZero(id, content, draw) {
  return drawing(id, (width) => {
    const shown = content();
    const height = 150;
    if (!shown) return [height, []];
    const { values, most, from, to } = shown;
    const [middle, scale] = [(height - 20) / 2, (0.46 * (height - 20)) / most];
    const faint = { class: "faint" };
    return [height, [line(LEFT, middle, width, middle), ...draw([...values], LEFT, width - LEFT, middle, scale),
      ...[most, 0, -most].map((value) => text(short(value), LEFT - 6, middle - scale * value + 4, { ...faint, "text-anchor": "end" })),
      text(from, LEFT, height - 4, faint), text(to, width, height - 4, { ...faint, "text-anchor": "end" })]];
  });
}

// A waveform: `content` returns { values, most, from, to }.
export const wavePlot = (id, content) => aroundZero(id, content, (values, left, width, middle, scale) =>
  [path(values.map((value, n) => [left + (width * n) / (values.length - 1), middle - scale * value]), { class: "curve" })]);

// Values as bars.
export const barPlot = (id, content) => aroundZero(id, content, (values, left, width, middle, scale) => {
  const step = width / values.length;
  return [shape("g", {}, ...values.map((value, i) => box(left + i * step, middle - Math.max(0, scale * value),
    Math.max(step - 1, 0.5), Math.abs(scale * value), { fill: "var(--calm)" })))];
});
