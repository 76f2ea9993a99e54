// Starts the sections of the page.
import { one } from "./dom.js";
import { startGenerator } from "./generator.js";
import { startLink } from "./link.js";
import { stopWhenLeaving } from "./player.js";

const data = JSON.parse(one("#data").textContent);
const scroll = startLink();
startGenerator(data.generators);
stopWhenLeaving();
scroll();
