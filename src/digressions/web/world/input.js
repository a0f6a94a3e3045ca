/* Wheel, mouse, fingers and keys, as pushes and flights. */

import { APPEARS } from "./draw.js";

const FLICK = 0.22; // seconds that a thrown picture would go on at its speed
const STILL = 5; // pixels that a click may move

/* act: {touched, home, fly, full, help}, what keys and a touch do besides moving. */
export function listen(stage, view, motion, act) {
  const fingers = new Map();
  const down = (event) => event.clientY * view.aspect; // as the view counts
  let moved = 0;
  let thrown = { right: 0, fall: 0, time: 0 };

  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    act.touched();
    const lines = event.deltaMode === 1 ? 24 : event.deltaMode === 2 ? innerHeight : 1;
    const pinch = event.ctrlKey ? 6 : 1; // so do browsers report a pinch on a touchpad
    motion.closer(-0.0025 * lines * pinch * event.deltaY, event.clientX, down(event));
    act.moved();
  }, { passive: false });

  const spread = () => {
    const [a, b] = [...fingers.values()];
    return {
      left: (a.left + b.left) / 2,
      top: (a.top + b.top) / 2,
      distance: Math.max(1, Math.hypot(a.left - b.left, (a.top - b.top) / view.aspect)),
    };
  };

  stage.addEventListener("pointerdown", (event) => {
    if (event.button > 0) return;
    act.touched();
    motion.stop();
    stage.setPointerCapture(event.pointerId);
    if (!fingers.size) moved = 0;
    fingers.set(event.pointerId, { left: event.clientX, top: down(event) });
    thrown = { right: 0, fall: 0, time: event.timeStamp };
  });

  stage.addEventListener("pointermove", (event) => {
    const finger = fingers.get(event.pointerId);
    if (!finger) return;
    const before = fingers.size === 2 ? spread() : null;
    const right = event.clientX - finger.left;
    const fall = down(event) - finger.top;
    [finger.left, finger.top] = [event.clientX, down(event)];
    moved += Math.hypot(right, fall / view.aspect);
    if (before) {
      const after = spread();
      moved = Infinity;
      view.pan(after.left - before.left, after.top - before.top);
      view.zoom(after.distance / before.distance, after.left, after.top);
    } else if (fingers.size === 1 && moved > STILL) {
      view.pan(right, fall);
      const seconds = Math.max(1, event.timeStamp - thrown.time) / 1000;
      const old = Math.exp(-seconds / 0.05); // a mean of the last moments
      thrown = {
        right: old * thrown.right + ((1 - old) * right) / seconds,
        fall: old * thrown.fall + ((1 - old) * fall) / seconds,
        time: event.timeStamp,
      };
    }
    act.moved();
  });

  const release = (event) => {
    if (!fingers.delete(event.pointerId) || fingers.size) return;
    if (event.type === "pointerup" && moved <= STILL) enter(event.clientX, down(event));
    else if (moved < Infinity && event.timeStamp - thrown.time < 60) {
      motion.glide(-FLICK * thrown.right, -FLICK * thrown.fall);
    }
    act.moved();
  };
  stage.addEventListener("pointerup", release);
  stage.addEventListener("pointercancel", release);

  /* A click flies into the cell there, of the smallest pictures that can be told apart. */
  function enter(left, top) {
    const { x, y } = view.at(left, top);
    let place = view.base.beside(Math.floor(x), Math.floor(y));
    if (!place) return act.home();
    let [u, v, side] = [x - Math.floor(x), y - Math.floor(y), view.side];
    do {
      const [column, row] = [Math.floor(u * view.columns), Math.floor(v * view.columns)];
      place = place.into(row * view.columns + column);
      [u, v, side] = [u * view.columns - column, v * view.columns - row, side / view.columns];
    } while (side / view.columns >= APPEARS);
    motion.fly(place, () => {
      const wide = 0.96 * view.least;
      return { left: (view.width - wide) / 2, top: (view.height - wide) / 2, side: wide };
    });
  }

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]")) return; // it has the keys
    const step = (event.shiftKey ? 0.5 : 0.16) * view.least;
    const keys = {
      "+": () => motion.closer(0.4),
      "=": () => motion.closer(0.4),
      "-": () => motion.closer(-0.4),
      "_": () => motion.closer(-0.4),
      ArrowLeft: () => motion.glide(-step, 0),
      ArrowRight: () => motion.glide(step, 0),
      ArrowUp: () => motion.glide(0, -step),
      ArrowDown: () => motion.glide(0, step),
      Home: act.home, h: act.home, 0: act.home,
      f: act.fly, e: act.full, "?": act.help,
    };
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (!Object.hasOwn(keys, key)) return;
    event.preventDefault();
    if (key !== "f") act.touched();
    keys[key]();
    act.moved();
  });
}
