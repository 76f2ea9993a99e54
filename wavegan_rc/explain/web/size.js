// Section 3: the length of the output, term by term.
import { box, drawing, element, hue, one, onClick, refuse, text, valueOf } from "./dom.js";
import { convolvedLength, range, transposedLength } from "./theory.js";

// The lines that make this layer in Keras. Its "valid" layer cuts nothing; what it gives more or
// less at the ends is cut or added.
export function kerasLines(length, geometry) {
  const { kernelSize, stride, padding, dilation } = geometry;
  if (stride > 1 && dilation > 1) return "# Keras takes no dilation_rate above 1 with strides above 1";
  const reach = dilation * (kernelSize - 1) + 1;
  const valid = length * stride + Math.max(reach - stride, 0);
  const rest = valid - padding - transposedLength(length, geometry);
  const options = ["filters", `kernel_size=${kernelSize}`, `strides=${stride}`, ...(dilation > 1 ? [`dilation_rate=${dilation}`] : [])];
  const lines = [`x = keras.layers.Conv1DTranspose(${options.join(", ")})(x)`];
  if (padding || rest > 0) lines.push(`x = keras.layers.Cropping1D((${padding}, ${Math.max(rest, 0)}))(x)`);
  if (rest < 0) lines.push(`x = keras.layers.ZeroPadding1D((0, ${-rest}))(x)`);
  return lines.join("\n");
}

export function torchLine({ kernelSize, stride, padding, dilation, outputPadding }) {
  const others = [["padding", padding, 0], ["output_padding", outputPadding, 0], ["dilation", dilation, 1]]
    .filter(([, value, usual]) => value !== usual).map(([name, value]) => `, ${name}=${value}`);
  return `x = torch.nn.ConvTranspose1d(channels, filters, ${kernelSize}, stride=${stride}${others.join("")})(x)`;
}

export function startSize() {
  const now = () => {
    const [length, stride, kernelSize, padding, dilation, outputPadding] =
      ["length", "stride", "kernel", "padding", "dilation", "output"].map((name) => valueOf(`size-${name}`));
    const geometry = { stride, kernelSize, padding, dilation, outputPadding };
    return { length, geometry, size: transposedLength(length, geometry) };
  };
  const terms = ({ length, geometry: { stride, kernelSize, padding, dilation, outputPadding } }) => [
    ["(L \u2212 1) \u00d7 s", (length - 1) * stride, "where the last copy begins"],
    ["D \u00d7 (K \u2212 1) + 1", dilation * (kernelSize - 1) + 1, "the last copy itself"],
    ["output padding", outputPadding, "added at the end"],
    ["\u2212 2 \u00d7 P", -2 * padding, "cut at both ends"],
  ];
  const problem = ({ geometry: { stride, outputPadding }, size }) => {
    if (outputPadding >= stride) return `Output padding must be smaller than the stride, ${stride}. Received: ${outputPadding}. It chooses among the ${stride} lengths below, so a larger one has no meaning.`;
    return size < 1 ? `Nothing is left of the output: its length would be ${size}. Lower P, or raise L, K or s.` : "";
  };
  const draw = drawing("size-picture", (width) => (problem(now()) ? [0, []] : termPicture(width, terms(now()), now().size)));

  function update() {
    const state = now();
    const wrong = problem(state);
    refuse("size", wrong);
    one("#size-copied").textContent = "";
    one("#size-range").textContent = rangeOf(state);
    if (wrong) return;
    one("#size-formula").replaceChildren(...terms(state).flatMap(([words, value], i) => [
      i && i < 3 ? " + " : " ", element("b", { style: `--term: ${hue(i)}` }, `${words} = ${String(value).replace("-", "\u2212")}`),
    ]), ` \u2192 ${state.size} samples`);
    draw();
    const lines = kerasLines(state.length, state.geometry);
    one("#size-keras").textContent = lines;
    one("#size-copy-keras").disabled = lines.startsWith("#");
    one("#size-torch").textContent = torchLine(state.geometry);
  }
  const copy = (id) => onClick(`size-copy-${id}`, async () => {
    try {
      await navigator.clipboard.writeText(one(`#size-${id}`).textContent);
      one("#size-copied").textContent = "copied";
    } catch { // not allowed, or no clipboard
      getSelection().selectAllChildren(one(`#size-${id}`));
      one("#size-copied").textContent = "selected: copy with Ctrl+C";
    }
  });
  ["keras", "torch"].forEach(copy);
  one("#size").addEventListener("input", update);
  update();
}

// The lengths that the convolution takes to L, among which output padding chooses.
function rangeOf({ length, geometry }) {
  const lengths = range(geometry.stride).map((extra) => transposedLength(length, { ...geometry, outputPadding: extra }))
    .filter((size) => size > 0);
  if (!lengths.length) return "";
  const back = convolvedLength(lengths[0], geometry);
  return lengths.length > 1
    ? `The strided convolution takes every length from ${lengths[0]} to ${lengths.at(-1)} to the same ${back} samples; the way back must choose one, and output padding (0 to ${geometry.stride - 1}) does.`
    : `The convolution takes ${lengths[0]} samples to ${back}, and no other length.`;
}

// Bars that grow from left to right, what is cut from both ends, and what remains.
function termPicture(width, terms, size) {
  const longest = terms.slice(0, 3).reduce((total, [, value]) => total + value, 0);
  const scale = width / longest;
  let at = 0;
  const cut = -terms[3][1] / 2;
  const shapes = terms.flatMap(([, value, means], i) => {
    const bars = value < 0 ? [[0, cut], [longest - cut, cut]] : [[at, value]];
    at += value;
    const x = Math.max(0, Math.min(bars[0][0] * scale, width - 200));
    return [...bars.map(([from, size]) => box(from * scale, i * 30, size * scale, 12, { fill: hue(i), rx: 3, opacity: value < 0 ? 0.45 : 1 })),
      text(value ? means : "", x, i * 30 + 25, { class: "faint" })];
  });
  const [x, y] = [cut * scale, terms.length * 30 + 6];
  return [y + 34, [...shapes, box(x, y, size * scale, 14, { fill: "var(--ink)", rx: 3 }), text(`${size} samples`, Math.min(x, width - 80), y + 30)]];
}
