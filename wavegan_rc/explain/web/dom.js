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

export const onClick = (id, action) => one(`#${id}`).addEventListener("click", action);

// Lets the browser draw and answer before the next piece of work.
export const breath = () => new Promise((resolve) => { setTimeout(resolve, 0); });

// Colours of input samples, phases and stages: one hue each, far apart.
export const hue = (index) => `oklch(var(--hues) ${(250 + 137.5 * index) % 360})`;
export const stageColour = (stage, stages) => hue(stages - stage + 2);

// Numbers for people.
export const number = (value, digits = 1) => (Object.is(value, -0) ? 0 : value).toFixed(digits).replace("-", "\u2212");
export const short = (value) => String(Number(value.toFixed(2))).replace("-", "\u2212");
export const hertz = (value) => `${Number(value.toFixed(2))} Hz`;
export const level = (db) => (Number.isFinite(db) ? `${number(db)} dB` : "none");
