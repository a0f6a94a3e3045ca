/* Where the window is in the world.

   The middle of the window is at (x, y) of the picture at `base`, whose side is 1 and shows `side`
   pixels wide. The base changes with the depth, so no number runs out, however deep one flies.

   A picture counts as a square here, whatever its shape: heights are those of the screen times
   `aspect`, width / height of a picture. Only what meets the screen (draw.js, input.js) knows. */

import { Place, offset } from "./places.js";

export class View {
  constructor(columns, aspect = 1) {
    this.columns = columns;
    this.aspect = aspect;
    this.root = new Place(null, 0, columns);
    this.base = this.root;
    this.x = this.y = 0.5;
    this.side = 1;
    this.width = this.height = 1; // of the window
    this.home = { x: 0.5, y: 0.5, side: 1 };
  }

  get least() {
    return Math.min(this.width, this.height);
  }

  resize(width, height, home) {
    const tall = height * this.aspect;
    const scale = Math.min(width, tall) / this.least;
    [this.width, this.height, this.home] = [width, tall, home];
    this.side *= scale;
    this.settle();
  }

  goHome() {
    this.base = this.root;
    Object.assign(this, this.home);
  }

  get isHome() {
    return !this.base.parent && this.side < 1.1 * this.home.side;
  }

  /* Where a point of the window is in the base. */
  at(left, top) {
    return {
      x: this.x + (left - this.width / 2) / this.side,
      y: this.y + (top - this.height / 2) / this.side,
    };
  }

  /* A place's box in the window: left, top and side in pixels. */
  box(place) {
    let [x, y, s, a] = [0, 0, 1, place];
    for (; a.depth > this.base.depth; a = a.parent) {
      [x, y, s] = [(x + a.column) / this.columns, (y + a.row) / this.columns, s / this.columns];
    }
    let [u, v, t, b] = [0, 0, 1, this.base];
    for (; b.depth > a.depth; b = b.parent) {
      [u, v, t] = [(u + b.column) / this.columns, (v + b.row) / this.columns, t / this.columns];
    }
    const [right, down] = offset(b, a);
    return {
      left: this.width / 2 + ((right + x - u) / t - this.x) * this.side,
      top: this.height / 2 + ((down + y - v) / t - this.y) * this.side,
      side: (this.side * s) / t,
    };
  }

  zoom(factor, left = this.width / 2, top = this.height / 2) {
    const { x, y } = this.at(left, top);
    const least = this.base.parent ? 0 : 0.7 * this.home.side;
    this.side = Math.max(least, this.side * factor);
    this.x = x - (left - this.width / 2) / this.side;
    this.y = y - (top - this.height / 2) / this.side;
    this.settle();
  }

  pan(right, down) {
    this.x -= right / this.side;
    this.y -= down / this.side;
    this.settle();
  }

  /* Moves the base to the picture that the middle of the window is in, the deepest to fill it. */
  settle() {
    const n = this.columns;
    for (;;) {
      const right = Math.floor(this.x);
      const down = Math.floor(this.y);
      if (right && !this.base.beside(right, 0)) this.x = right < 0 ? 0 : 1 - 1e-9;
      else if (down && !this.base.beside(0, down)) this.y = down < 0 ? 0 : 1 - 1e-9;
      else if (right || down) {
        this.base = this.base.beside(right, down);
        this.x -= right;
        this.y -= down;
      } else if (this.side > 0.9 * n * this.least) {
        const column = Math.floor(this.x * n);
        const row = Math.floor(this.y * n);
        this.base = this.base.into(row * n + column);
        [this.x, this.y, this.side] = [this.x * n - column, this.y * n - row, this.side / n];
      } else if (this.side < 0.7 * this.least && this.base.parent) {
        this.x = (this.base.column + this.x) / n;
        this.y = (this.base.row + this.y) / n;
        this.side *= n;
        this.base = this.base.parent;
      } else return;
    }
  }

  /* The place as the address bar holds it: path/x/y/zoom, zoom in parts of the window. */
  get address() {
    if (this.isHome) return "";
    const { base, x, y, side, least } = this;
    return [base.path, x.toFixed(6), y.toFixed(6), (side / least).toPrecision(6)]
      .filter((part) => part !== "").join("/");
  }

  /* Goes to an address; false, and nowhere, if it leads nowhere. */
  visit(address) {
    const parts = address.split("/");
    const cells = parts.slice(0, -3).map(Number);
    const [x, y, zoom] = parts.slice(-3).map(Number);
    const inside = (n) => n >= 0 && n <= 1;
    const isCell = (n) => Number.isInteger(n) && n >= 0 && n < this.columns ** 2;
    const plain = parts.every((part) => /^[0-9.e+-]+$/.test(part));
    if (parts.length < 3 || !plain || !inside(x) || !inside(y)) return false;
    if (!(zoom > 1e-3 && zoom < 1e6) || !cells.every(isCell)) return false;
    this.base = cells.reduce((place, cell) => place.into(cell), this.root);
    [this.x, this.y, this.side] = [Math.min(x, 1 - 1e-9), Math.min(y, 1 - 1e-9), zoom * this.least];
    this.zoom(1); // also keeps it within its limits
    return true;
  }
}
