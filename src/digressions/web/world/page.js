/* The page: a view, what moves it, what draws it, what loads for it. */

import { Bank } from "./bank.js";
import { Drawing } from "./draw.js";
import { listen } from "./input.js";
import { Loader } from "./loader.js";
import { Motion } from "./motion.js";
import { Pilot } from "./pilot.js";
import { Server } from "./server.js";
import { View } from "./view.js";

const $ = (id) => document.getElementById(id);
const { body, documentElement: root } = document;
const saver = /\/screensaver(\.html)?$/.test(location.pathname);
const GUTTER = 210; // pixels beside the picture that a label needs

const facts = await (await fetch("world.json")).json();
const source = facts.bank ? new Bank(facts) : new Server(facts);
const stage = $("stage");
const view = new View(facts.columns, facts.width / facts.height);
const motion = new Motion(view);
const pilot = new Pilot(view, motion);
const drawing = new Drawing(stage, facts);
const loader = new Loader(facts, source, view.root, {
  onChange: wake,
  onTrouble: (text) => {
    $("notice").textContent = text;
    $("notice").hidden = !text;
  },
});

document.title = facts.title;
for (const id of ["title", "help-title"]) $(id).textContent = facts.title;
$("facts").textContent = `${facts.columns} × ${facts.columns} pictures in every picture, without end`;

/* -- Frames: only while something moves, fades in or has come --------------------------------- */

let awake = false;
let before = 0;

function wake() {
  if (awake) return;
  awake = true;
  before = performance.now();
  requestAnimationFrame(frame);
}

function frame(now) {
  const seconds = Math.min(0.05, Math.max(0, (now - before) / 1000)); // a slow frame does not jump
  before = now;
  pilot.step();
  const moving = motion.step(seconds);
  const { wishes, fading } = drawing.draw(view, now);
  loader.want(wishes, pilot.middle, view);
  tell(moving || fading || wishes.length > 0 || loader.busy);
  awake = moving || fading || pilot.due;
  if (awake) requestAnimationFrame(frame);
}

function tell(unsettled) {
  const { base } = view;
  const away = !view.isHome;
  body.classList.toggle("away", away);
  body.classList.toggle("ready", Boolean(view.root.canvas));
  body.classList.toggle("flying", pilot.flying);
  $("fly").setAttribute("aria-pressed", String(pilot.flying));
  $("where").classList.toggle("shown", away && base.depth > 0);
  $("where-depth").textContent = base.depth === 1 ? "1 picture deep" : `${base.depth} pictures deep`;
  Object.assign(root.dataset, {
    depth: base.depth,
    pictures: loader.loaded.picture,
    canvases: loader.loaded.canvas,
    settled: !unsettled,
    flying: pilot.flying,
  });
  remember();
}

/* -- The address bar ---------------------------------------------------------------------------- */

let timer = 0;
function remember() { // not in every frame: browsers allow few changes a second
  timer ||= setTimeout(() => {
    timer = 0;
    const address = view.address ? `#${view.address}` : "";
    if (address !== location.hash) history.replaceState(null, "", location.pathname + address);
  }, 300);
}

function visit() {
  motion.stop();
  const address = location.hash.slice(1);
  if (!address || !view.visit(address)) view.goHome();
  wake();
}

/* -- The room ----------------------------------------------------------------------------------- */

/* The whole picture, beside its label where there is room, else above it. */
function measure() {
  const [width, height] = [innerWidth, innerHeight];
  const edge = Math.min(28, Math.round(0.05 * Math.min(width, height)));
  root.style.setProperty("--edge", `${edge}px`);
  const { aspect } = view;
  let side = Math.min(width - 2 * GUTTER, (height - 2 * edge) * aspect); // the picture's width
  let top = (height - side / aspect) / 2;
  const beside = side > 0.6 * Math.min(width, height * aspect);
  body.classList.toggle("beside", beside);
  body.classList.toggle("tall", !beside);
  root.style.setProperty("--label-width", beside ? `${(width - side) / 2 - edge - 28}px` : "");
  if (!beside) {
    side = Math.max(80, Math.min(width, (height - $("label").offsetHeight - 130) * aspect));
    top = Math.max(0, (height - 130 - $("label").offsetHeight - side / aspect) / 2);
    root.style.setProperty("--label-top", `${top + side / aspect + 24}px`);
  }
  const home = { x: 0.5, y: ((height / 2 - top) * aspect) / side, side };
  const wasHome = view.isHome;
  drawing.resize(width, height);
  view.resize(width, height, home);
  if (wasHome) view.goHome();
  wake();
}

const help = $("help");
const stir = (() => {
  let idle = 0;
  return () => {
    body.classList.remove("idle");
    clearTimeout(idle);
    idle = setTimeout(() => body.classList.add("idle"), 2600);
  };
})();
const act = {
  touched: () => pilot.stop(),
  moved: wake,
  home: () => motion.flyHome(),
  fly: () => (pilot.flying ? pilot.stop() : pilot.start()),
  full: () => {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (document.fullscreenEnabled) root.requestFullscreen();
  },
  help: () => help.showModal(),
};

/* A first click fills the screen (browsers want one for that); any key or touch after it leaves. */
function leaveOnAnyTouch() {
  const leave = () => location.replace(`./#${view.address}`);
  const whole = () => document.fullscreenElement || innerHeight >= screen.height;
  let first = null;
  addEventListener("keydown", leave);
  addEventListener("pointerdown", () => (whole() ? leave() : root.requestFullscreen().catch(leave)));
  addEventListener("pointermove", (event) => {
    if (!whole()) return;
    first ??= event; // a table that shook is no hand
    if (Math.hypot(event.clientX - first.clientX, event.clientY - first.clientY) > 24) leave();
  });
  addEventListener("fullscreenchange", () => {
    first = null;
    if (!document.fullscreenElement) leave();
  });
}

addEventListener("resize", measure);
addEventListener("hashchange", visit);
measure();
visit();
$("glow").style.backgroundImage = `url("${source.whole}")`;
if (saver) {
  body.classList.add("saver");
  pilot.start();
  leaveOnAnyTouch();
} else {
  listen(stage, view, motion, act);
  for (const kind of ["pointermove", "pointerdown", "keydown"]) addEventListener(kind, stir);
  for (const [id, does] of [["fly", "fly"], ["home", "home"], ["full", "full"], ["ask", "help"]]) {
    $(id).addEventListener("click", () => {
      if (id !== "fly") act.touched();
      act[does]();
      wake();
    });
  }
  $("full").hidden = !document.fullscreenEnabled;
  help.addEventListener("click", (event) => event.target === help && help.close());
  stir();
}
