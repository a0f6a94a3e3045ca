/* Flies by itself: into a readable cell, and from there into one of its own, never the same way. */

import { chooseCell } from "./choosing.js";
import { APPEARS } from "./draw.js";

const RATE = 0.55; // powers of e a second: a level of 64 in eight seconds

export class Pilot {
  constructor(view, motion) {
    this.view = view;
    this.motion = motion;
    this.flying = false;
    this.target = null;
  }

  start() {
    this.flying = true;
    this.target = null;
  }

  stop() {
    if (this.flying) this.motion.stop();
    this.flying = false;
    this.target = null;
  }

  /* Whether it is time to choose: a place is reached and its canvas is there. */
  get due() {
    return this.flying && !this.motion.goal && Boolean((this.target || this.view.base).canvas);
  }

  /* Chooses where to go on, when it is time to. */
  step() {
    if (!this.due) return;
    const from = this.target || this.view.base;
    this.target = from.into(chooseCell(from.canvas.image, from.columns));
    const { view } = this;
    const target = () => {
      const side = Math.max(view.width, view.height);
      return { left: (view.width - side) / 2, top: (view.height - side) / 2, side };
    };
    this.motion.fly(this.target, target, () => RATE * this.patience());
  }

  /* Slows down where the pictures around the target are not painted yet: 0..1. */
  patience() {
    const { parent, row, column, columns } = this.target;
    if (this.view.box(this.target).side < APPEARS) return 1;
    let [ready, all] = [0, 0];
    for (let r = Math.max(0, row - 1); r <= Math.min(columns - 1, row + 1); r++) {
      for (let c = Math.max(0, column - 1); c <= Math.min(columns - 1, column + 1); c++) {
        const place = parent.cells.get(r * columns + c);
        all++;
        if (place && (place.picture || place.canvas)) ready++;
      }
    }
    return 0.08 + (0.92 * ready) / all;
  }

  /* The point of the window that matters most. */
  get middle() {
    const { view } = this;
    if (!this.target) return { left: view.width / 2, top: view.height / 2 };
    const { left, top, side } = view.box(this.target);
    const within = (value, most) => Math.min(most, Math.max(0, value));
    return { left: within(left + side / 2, view.width), top: within(top + side / 2, view.height) };
  }
}
