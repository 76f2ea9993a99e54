// A blind A/B/X test of two sounds.

// Long enough to judge, short enough to remember.
const HEARD_SECONDS = 2;
const test = { right: 0, count: 0, x: "a", windows: {} };

const side = (name) => sounds.get(one(`#choice-${name}`).value);

function randomBelow(limit) {
  return Math.floor((crypto.getRandomValues(new Uint32Array(1))[0] / 2 ** 32) * limit);
}

// Fisher and Yates, "Statistical Tables" (1938).
function shuffled(count) {
  const order = [...Array(count).keys()];
  for (let i = count - 1; i > 0; i--) {
    const j = randomBelow(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

// Draws windows of a sound: some for its own name, others for X.
function drawWindows(sound) {
  const order = shuffled(sound.count);
  const half = Math.floor(sound.count / 2);
  const wanted = Math.max(Math.min(half, Math.ceil(HEARD_SECONDS / sound.windowSeconds)), 1);
  return { known: order.slice(0, wanted), unknown: order.slice(-wanted) };
}

function drawTrial() {
  test.x = randomBelow(2) ? "a" : "b";
  test.windows = { a: drawWindows(side("a")), b: drawWindows(side("b")) };
}

// Turns the louder of the two down.
function gainDb(name) {
  const [own, other] = [side(name), side(name === "a" ? "b" : "a")].map((sound) => sound.loudness);
  return Number.isFinite(own) && Number.isFinite(other) ? Math.min(other - own, 0) : 0;
}

function play(name, part) {
  playWindows(side(name), test.windows[name][part], { gain: 10 ** (gainDb(name) / 20) });
}

// Returns the probability of at least this many right answers by guessing (binomial distribution).
function pValue(right, count) {
  let [term, tail] = [0.5 ** count, 0];
  for (let k = 0; k <= count; k++) {
    if (k >= right) tail += term;
    term *= (count - k) / (k + 1);
  }
  return Math.min(tail, 1);
}

function showScore() {
  const { right, count } = test;
  const p = pValue(right, count);
  one("#score").textContent = count === 0 ? "No answer yet." :
    `${right} of ${count} right; probability of at least as many by guessing: p = ${p < 0.0001 ? p.toExponential(1) : p.toFixed(4)}.`;
  one("#score").dataset.pValue = p;
}

function answer(name) {
  stopPlaying();
  const right = name === test.x;
  test.count += 1;
  test.right += right;
  one("#answer").textContent = `${right ? "Right" : "Wrong"}: X was ${test.x.toUpperCase()}. There is a new X.`;
  showScore();
  drawTrial();
}

function startAgain() {
  stopPlaying();
  Object.assign(test, { right: 0, count: 0 });
  const same = side("a") === side("b");
  all("#abx button").forEach((button) => { button.disabled = same; });
  const words = ["a", "b"].map((name) => `${name.toUpperCase()} ${gainDb(name).toFixed(1).replace("-", "−")} dB`);
  one("#matched").textContent = same ? "Choose two different sounds." : `Loudness (ITU-R BS.1770) matched by: ${words.join(", ")}.`;
  one("#answer").textContent = "";
  showScore();
  drawTrial();
}

for (const name of ["a", "b"]) {
  one(`#play-${name}`).addEventListener("click", () => play(name, "known"));
  one(`#x-is-${name}`).addEventListener("click", () => answer(name));
  one(`#choice-${name}`).addEventListener("change", startAgain);
}
one("#play-x").addEventListener("click", () => play(test.x, "unknown"));
one("#stop").addEventListener("click", stopPlaying);
one("#again").addEventListener("click", startAgain);
startAgain();
