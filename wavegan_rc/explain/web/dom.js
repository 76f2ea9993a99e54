// Small helpers for elements, drawings and controls.

export const one = (selector, root = document) => root.querySelector(selector);
export const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// Value of a control by its id: number, text or truth.
export function valueOf(id) {
  const control = one(`#${id}`);
  if (control.type === "checkbox" || control.type === "radio") return control.checked;
  return control.type === "range" || control.type === "hidden" && !Number.isNaN(Number(control.value))
    ? Number(control.value) : control.value;
}

// Sets a control as a person would, so that all that depends on it follows.
export function setValue(id, value) {
  const control = one(`#${id}`);
  if (control.type === "checkbox" || control.type === "radio") control.checked = value === true || value === "1";
  else control.value = value;
  control.dispatchEvent(new Event("input", { bubbles: true }));
}

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  made.append(...children);
  return made;
}

export function shape(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  made.append(...children);
  return made;
}

export const text = (words, x, y, attributes = {}) => shape("text", { x, y, ...attributes }, words);

export const box = (x, y, width, height, attributes = {}) =>
  shape("rect", { x, y, width: Math.max(0, width), height: Math.max(0, height), ...attributes });

export const line = (x1, y1, x2, y2, attributes = {}) => shape("line", { x1, y1, x2, y2, class: "axis", ...attributes });

export function path(points, attributes = {}) {
  const steps = points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`);
  return shape("path", { d: steps.join(""), ...attributes });
}

// Redraws a drawing in pixels of its own width, now, and when the width or what it shows changes.
// `draw` gets the width and returns the height and the shapes.
export function drawing(id, draw) {
  const svg = one(`#${id}`);
  let width = 0;
  const redraw = () => {
    width = svg.parentElement.clientWidth;
    if (!width) return; // hidden; the observer calls again
    const [height, shapes, least = 0] = draw(width);
    const drawn = Math.max(width, least);
    svg.setAttribute("viewBox", `0 0 ${drawn} ${height}`);
    svg.style.width = `${drawn}px`;
    svg.style.height = `${height}px`;
    svg.replaceChildren(...shapes);
  };
  new ResizeObserver(() => svg.parentElement.clientWidth !== width && redraw()).observe(svg.parentElement);
  return redraw;
}

// Says what is wrong with a section's settings and hides what follows from them; "" shows it again.
export function refuse(section, message) {
  one(`#${section}-error`).textContent = message;
  one(`#${section}-error`).hidden = !message;
  one(`#${section}-body`).hidden = Boolean(message);
}

// Chooses by pointer among parts that carry their numbers in `data-at`, and by arrow keys.
// Not "pointerover": new parts under a resting pointer send it, and would undo the arrow keys.
export function pointing(area, choose, step) {
  const pointed = ({ target: { dataset: { at } } }) => at && choose(...at.split(" ").map(Number));
  area.setAttribute("tabindex", "0");
  area.addEventListener("pointermove", pointed);
  area.addEventListener("click", pointed);
  area.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!move) return;
    event.preventDefault();
    step(...move);
  });
}

// Marks what is wider than its place, so that it says that it scrolls.
export function markWide() {
  const mark = ({ target }) => {
    const area = target.closest(".scroll");
    area.classList.toggle("wide", area.scrollWidth > area.clientWidth + 1);
  };
  const observer = new ResizeObserver((entries) => entries.forEach(mark));
  all(".scroll, .scroll > *").forEach((each) => observer.observe(each));
}

export const onClick = (id, action) => one(`#${id}`).addEventListener("click", action);

// Lets the browser draw and answer before the next piece of work.
export const breath = () => new Promise((resolve) => { setTimeout(resolve, 0); });

// Colours of input samples, phases and stages: one hue each, far apart.
export const hue = (index) => `oklch(var(--hues) ${(250 + 137.5 * index) % 360})`;
export const stageColour = (stage, stages) => hue(stages - stage + 2);
export const dot = (stage, stages) => element("span", { class: "dot", style: `--stage: ${stageColour(stage, stages)}` });

// Numbers for people.
export const number = (value, digits = 1) => (Object.is(value, -0) ? 0 : value).toFixed(digits).replace("-", "\u2212");
export const short = (value) => String(Number(value.toFixed(2))).replace("-", "\u2212");
export const hertz = (value) => `${Number(value.toFixed(2))} Hz`;
export const level = (db) => (Number.isFinite(db) ? `${number(db)} dB` : "none");
