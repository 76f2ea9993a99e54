// Curves over frequency and over time.
import { box, drawing, hertz, line, number, path, shape, stageColour, text } from "./dom.js";

const LEFT = 38;
const BOTTOM = 34;
const TOP = 22;

// A spectrum in dB with the predicted lines of each stage. `content` returns null while there is
// nothing, else { curves: [{ db, kind }], rate, lines, stages, top, floor, edgeHz, height }.
export function spectrumPlot(id, content) {
  return drawing(id, (width) => {
    const shown = content();
    const height = shown?.height ?? 300;
    if (!shown) return [height, []];
    const { curves, rate, lines, stages, top, floor, edgeHz } = shown;
    const right = width - 6;
    const x = (hz) => LEFT + ((right - LEFT) * 2 * hz) / rate;
    const y = (db) => TOP + ((height - TOP - BOTTOM) * (top - Math.min(Math.max(db, floor), top))) / (top - floor);
    const shapes = [];
    if (edgeHz) shapes.push(box(x(edgeHz), TOP, right - x(edgeHz), height - TOP - BOTTOM, { class: "bandshade" }));
    for (const { hz, stage } of lines) {
      const colour = stageColour(stage, stages);
      const late = stages - stage < 4;
      shapes.push(line(x(hz), late ? TOP - 4 : height - BOTTOM - 8, x(hz), height - BOTTOM, {
        style: `stroke: ${colour}; stroke-width: ${late ? 2 : 1}; opacity: ${late ? 0.55 : 0.8}`,
      }));
      if (late) shapes.push(text(stage, x(hz), TOP - 8, { "text-anchor": "middle", style: `fill: ${colour}; font-size: 11px` }));
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

// A waveform.
export function wavePlot(id, content) {
  return drawing(id, (width) => {
    const samples = content();
    const height = 130;
    if (!samples) return [height, []];
    const most = samples.reduce((peak, x) => Math.max(peak, Math.abs(x)), 1e-9);
    const points = [...samples].map((value, n) => [(width * n) / (samples.length - 1), height / 2 - (0.46 * height * value) / most]);
    return [height, [line(0, height / 2, width, height / 2), path(points, { class: "curve" })]];
  });
}

// Values as bars around zero.
export function barPlot(id, content) {
  return drawing(id, (width) => {
    const values = content() ?? [];
    const height = 130;
    const step = width / values.length;
    const bars = [...values].map((value, i) => {
      const size = (0.46 * height * Math.abs(value));
      return box(i * step, value > 0 ? height / 2 - size : height / 2, Math.max(step - 1, 0.5), size, { fill: "var(--calm)" });
    });
    return [height, [line(0, height / 2, width, height / 2), shape("g", {}, ...bars)]];
  });
}
