// The address of the page holds every control that is not as at first: #section&control=value...
import { all, one, setValue, valueOf } from "./dom.js";

const controls = () => all("input[id], select[id]");
const written = (control) => (typeof valueOf(control.id) === "boolean" ? String(Number(valueOf(control.id))) : String(control.value));

function showValue(control) {
  const shown = one(`output[for="${control.id}"]`);
  if (shown) shown.textContent = control.value;
}

// Sets the controls to what the address says; a name or value that none has is left out.
function readAddress() {
  const [section, ...settings] = location.hash.slice(1).split("&");
  for (const [id, value] of new URLSearchParams(settings.join("&"))) {
    if (controls().some((control) => control.id === id)) {
      setValue(id, value);
      const control = one(`#${id}`);
      if (control.tagName === "SELECT" && control.selectedIndex < 0) control.selectedIndex = 0;
    }
  }
  return section;
}

export function startLink() {
  const first = new Map(controls().map((control) => [control.id, written(control)]));
  const section = readAddress();
  controls().forEach(showValue);
  const write = (id) => {
    const changed = controls().filter((control) => first.get(control.id) !== written(control));
    const settings = changed.map((control) => `&${control.id}=${encodeURIComponent(written(control))}`);
    history.replaceState(null, "", `#${id}${settings.join("")}`);
  };
  let waiting = null;
  addEventListener("input", ({ target }) => {
    showValue(target);
    clearTimeout(waiting); // browsers refuse more than a few changes of the address a second
    waiting = setTimeout(write, 200, target.closest("section")?.id ?? "");
  });
  all("button.set").forEach((button) => button.addEventListener("click", () => {
    button.dataset.set.split(" ").forEach((setting) => setValue(...setting.split("=")));
  }));
  return () => document.getElementById(section)?.scrollIntoView();
}
