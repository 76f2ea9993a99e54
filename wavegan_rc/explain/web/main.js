// Starts the sections of the page.
import { markWide, one } from "./dom.js";
import { startGenerator } from "./generator.js";
import { startLink } from "./link.js";
import { startOverlap } from "./overlap.js";
import { stopWhenLeaving } from "./player.js";
import { startShuffle } from "./shuffle.js";
import { startSize } from "./size.js";
import { startHero, startStages } from "./stages.js";
import { startViews } from "./views.js";

const data = JSON.parse(one("#data").textContent);
const scroll = startLink();
startHero(data.interpolation);
startOverlap(data.interpolation);
startViews();
startSize();
startShuffle();
startStages(data.interpolation);
startGenerator(data.generators);
stopWhenLeaving();
markWide();
scroll();
