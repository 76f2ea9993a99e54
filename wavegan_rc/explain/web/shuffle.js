// Section 4: channels at the low rate become samples at the high rate.
import { box, drawing, hue, line, one, pointing, text, valueOf } from "./dom.js";
import { range } from "./theory.js";

const TIMES = 4;
const LABELS = 84;

export function startShuffle() {
  let chosen = 0;
  const draw = drawing("shuffle-picture", (width) => shufflePicture(width, valueOf("shuffle-factor"), chosen));
  function choose(index) {
    const factor = valueOf("shuffle-factor");
    chosen = Math.min(Math.max(index, 0), factor * TIMES - 1);
    const [time, channel] = [Math.floor(chosen / factor), chosen % factor];
    one("#shuffle-said").textContent = `Channel ${channel} at time ${time} becomes sample ${time} \u00d7 ${factor} + ${channel} = ${chosen}.`;
    draw();
  }
  pointing(one("#shuffle-picture"), choose, (down, right) => choose(chosen + down + right));
  one("#shuffle").addEventListener("input", () => choose(chosen));
  choose(chosen);
}

function shufflePicture(width, factor, chosen) {
  const least = LABELS + factor * TIMES * 20;
  const step = Math.min(44, (Math.max(width, least) - LABELS) / (factor * TIMES));
  const below = factor * 28 + 60;
  const shapes = range(TIMES).flatMap((time) => range(factor).flatMap((channel) => {
    const index = time * factor + channel;
    const centre = LABELS + (time + 0.5) * factor * step;
    const [x, y] = [LABELS + index * step, channel * 28];
    const lit = index === chosen;
    const look = { fill: hue(channel), rx: 4, "fill-opacity": 0.45, "data-at": index, style: "cursor: pointer" };
    const outline = lit ? { stroke: "var(--ink)", "stroke-width": 3 } : {};
    const label = { "text-anchor": "middle", "pointer-events": "none" };
    return [
      line(centre, y + 22, x + step / 2, below, { style: `stroke: ${hue(channel)}; stroke-width: ${lit ? 3 : 1}; opacity: ${lit ? 1 : 0.25}` }),
      box(centre - 14, y, 28, 24, { ...look, ...outline }), text(index, centre, y + 16, label),
      box(x + 1, below, step - 2, 28, { ...look, ...outline }), text(index, x + step / 2, below + 18, label),
    ];
  }));
  const names = range(factor).map((channel) => text(`channel ${channel}`, 0, channel * 28 + 16, { class: "faint" }));
  return [below + 34, [...names, ...shapes, text("samples", 0, below + 18, { class: "faint" })], least];
}
