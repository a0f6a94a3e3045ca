/* Flies by itself: into a readable cell, and from there into one of its own, never the same way. */

import { APPEARS } from "./draw.js";

const RATE = 0.55; // powers of e a second: a level of 64 in eight seconds
const INNER = [0.2, 0.8]; // where in a picture the way may go on, in parts of its side
const BEST = 0.04; // part of the cells that it chooses from
const READABLE = 0.62; // lightness that leaves a picture room to be darker and brighter

/* OKLab of sRGB bytes: Ottosson, "A perceptual color space for image processing", 2020. */
function oklab(bytes, at) {
  const [r, g, b] = [0, 1, 2].map((i) => {
    const v = bytes[at + i] / 255;
    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  });
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

const far = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);

/* A cell to fly into: by chance one of those that stand out and are neither dark nor bright. Only
   such a cell's picture is readable, and only along such cells do colours live for ever. */
export function chooseCell(image, n) {
  const small = new OffscreenCanvas(n, n);
  const context = small.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, n, n);
  const { data } = context.getImageData(0, 0, n, n);
  const cells = Array.from({ length: n * n }, (_, cell) => oklab(data, 4 * cell));
  const mean = [0, 1, 2].map((i) => cells.reduce((sum, lab) => sum + lab[i], 0) / cells.length);
  const scored = [];
  for (let cell = 0; cell < n * n; cell++) {
    const row = Math.floor(cell / n);
    const column = cell % n;
    const inside = [row, column].every((at) => at + 0.5 >= INNER[0] * n && at + 0.5 <= INNER[1] * n);
    if (!inside) continue;
    const around = [cell - n, cell + n, cell - 1, cell + 1].map((other) => far(cells[cell], cells[other]));
    const contrast = Math.max(...around);
    const readable = Math.exp(-(((cells[cell][0] - READABLE) / 0.18) ** 2));
    scored.push({ cell, score: readable * (0.02 + far(cells[cell], mean) + contrast) });
  }
  scored.sort((a, b) => b.score - a.score);
  const best = scored.slice(0, Math.max(1, Math.round(BEST * scored.length)));
  return best[Math.floor(Math.random() * best.length)].cell;
}

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
