// The table of all numbers: sort, filter, copy.

const table = one("#table");

const valueOf = (cell) => cell.dataset.value ?? cell.textContent.trim();

// Compares numbers by size, words by the alphabet; missing values come last in both directions.
function compareCells(first, second, direction) {
  const [a, b] = [first, second].map(valueOf);
  if (a === "" || b === "") return (a === "") - (b === "");
  const numeric = first.dataset.value !== undefined;
  return direction * (numeric ? Number(a) - Number(b) : a.localeCompare(b));
}

function sortBy(heading) {
  const direction = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  all("thead th", table).forEach((other) => other.removeAttribute("aria-sort"));
  heading.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
  const column = heading.cellIndex;
  for (const body of table.tBodies) {
    const [title, ...rows] = body.rows;
    rows.sort((a, b) => compareCells(a.cells[column], b.cells[column], direction));
    body.append(title, ...rows);
  }
}

function showScope(scope) {
  for (const body of table.tBodies) body.hidden = body.dataset.scope !== scope;
}

// Shows the part of the table in which the address's row stands, or the list that explains a term.
function showTarget() {
  const target = /^#(row|term)-/.test(location.hash) && document.getElementById(location.hash.slice(1));
  if (!target) return;
  const body = target.closest("tbody");
  if (body) {
    const { scope } = body.dataset;
    one(`input[name=scope][value=${scope}]`).checked = true;
    showScope(scope);
  } else {
    target.closest("details").open = true;
  }
  target.scrollIntoView({ block: "center" });
}

// Returns a cell as one line.
function cellText(cell) {
  const copy = cell.cloneNode(true);
  all("small", copy).forEach((part) => part.prepend("; "));
  return copy.textContent.replace(/\s+/g, " ").replaceAll(" ;", ";").trim();
}

function shownCells() {
  const shown = [...table.tBodies].filter((body) => !body.hidden);
  const rows = [table.tHead.rows[0], ...shown.flatMap((body) => [...body.rows])];
  const columns = rows[0].cells.length;
  return rows.map((row) => [...row.cells].map(cellText)).map((row) => [...row, ...Array(columns - row.length).fill("")]);
}

function asMarkdown() {
  const escaped = (text) => text.replace(/[\\|<>*_`[\]]/g, "\\$&");
  const [heading, ...rows] = shownCells();
  const line = (cells) => `| ${cells.join(" | ")} |`;
  const rule = line(heading.map((_, i) => (i === 0 ? "---" : "---:")));
  // Brackets of intervals make no links.
  const plain = (cells) => line(cells.map(escaped)).replace(/\\([[\]])/g, "$1");
  return [plain(heading), rule, ...rows.map(plain)].join("\n");
}

const LATEX = {
  "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}",
  "−": "$-$", "–": "--", "<": "$<$", ">": "$>$",
};

function asLatex() {
  const escaped = (text) => text.replace(/[\\~^−–<>&%$#_{}]/g, (c) => LATEX[c] ?? `\\${c}`);
  const [heading, ...rows] = shownCells();
  // In braces: LaTeX reads a bracket after a row's end as its spacing.
  const line = (cells) => `${cells.map((cell) => (cell.startsWith("[") ? `{${escaped(cell)}}` : escaped(cell))).join(" & ")} \\\\`;
  return [
    `\\begin{tabular}{l${"r".repeat(heading.length - 1)}}`, "\\hline", line(heading), "\\hline",
    ...rows.map(line), "\\hline", "\\end{tabular}",
  ].join("\n");
}

// Shows and selects the text if the browser refuses the clipboard.
async function copy(text) {
  const area = one("#copy-text");
  area.hidden = true;
  try {
    await navigator.clipboard.writeText(text);
    one("#copied").textContent = "copied";
  } catch {
    area.value = text;
    area.hidden = false;
    area.select();
    one("#copied").textContent = "the browser refused: press Ctrl-C (⌘C) to copy";
  }
}

all("thead button", table).forEach((button) => button.addEventListener("click", () => sortBy(button.closest("th"))));
all("input[name=scope]").forEach((input) => input.addEventListener("change", () => showScope(input.value)));
one("#copy-markdown").addEventListener("click", () => copy(asMarkdown()));
one("#copy-latex").addEventListener("click", () => copy(asLatex()));
addEventListener("hashchange", showTarget);
showTarget();
