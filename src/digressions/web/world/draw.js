/* Draws the world: what is painted over what is known of it already.

   The exact colours of a picture that is not painted are in its parent's canvas, so there is
   always something right to show, only coarse. */

export const APPEARS = 26; // pixels at which a cell's picture begins to show
const CLEAR = 60; // and at which nothing else shows any more
const SHARPENS = 320; // milliseconds in which a picture that came fades in
const LAP = 0.5; // pixels that pictures overlap by, so that no seam shows between them

const clamp = (value) => Math.min(1, Math.max(0, value));
const fade = (side) => clamp(Math.log(side / APPEARS) / Math.log(CLEAR / APPEARS));

export class Drawing {
  constructor(canvas, facts) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.facts = facts;
  }

  resize(width, height) {
    this.ratio = Math.min(2, window.devicePixelRatio || 1);
    this.canvas.width = Math.round(width * this.ratio);
    this.canvas.height = Math.round(height * this.ratio);
  }

  /* Draws a view. Returns what it lacked, as wishes {home, form, cell, left, top, side}, and whether
     something is still fading in. */
  draw(view, now) {
    this.view = view;
    this.now = now;
    this.wishes = [];
    this.fading = false;
    const { context } = this;
    context.setTransform(this.ratio, 0, 0, this.ratio / view.aspect, 0, 0); // squares get their shape
    context.clearRect(0, 0, view.width, view.height);
    context.imageSmoothingQuality = "high";
    const { left, top, side } = view.box(view.base);
    const grounds = [];
    for (let down = Math.floor(-top / side); top + down * side < view.height; down++) {
      for (let right = Math.floor(-left / side); left + right * side < view.width; right++) {
        const place = view.base.beside(right, down);
        if (place) grounds.push({ place, left: left + right * side, top: top + down * side, side });
      }
    }
    for (const ground of grounds) this.ground(ground);
    context.globalAlpha = 1;
    for (const ground of grounds) this.cells(ground);
    context.globalAlpha = 1;
    return { wishes: this.wishes, fading: this.fading };
  }

  put(image, x, y, part, { left, top, side }) {
    const { width, height } = image;
    this.context.drawImage(
      image, x * width, y * height, part * width, part * height,
      left - LAP, top - LAP, side + 2 * LAP, side + 2 * LAP,
    );
  }

  opacity({ since }) {
    const opacity = clamp((this.now - since) / SHARPENS);
    if (opacity < 1) this.fading = true;
    return opacity;
  }

  /* A picture as wide as the window: over the best that is known above it. */
  ground(box) {
    const { place } = box;
    place.seen = this.now;
    const known = place.canvas;
    if (!known || this.opacity(known) < 1) this.coarse(box);
    if (known) this.layer(known, box, 1);
    else this.wish(place.parent, place.cell, "canvas", box, place === this.view.base);
  }

  coarse(box) {
    let [x, y, part, place] = [0, 0, 1, box.place];
    while (place && !place.canvas && !(place === box.place && place.picture)) {
      [x, y, part] = [(x + place.column) / place.columns, (y + place.row) / place.columns, part / place.columns];
      place = place.parent;
    }
    if (!place) return;
    place.seen = this.now;
    this.context.globalAlpha = 1;
    this.put((place.canvas || place.picture).image, x, y, part, box);
  }

  layer(known, box, opacity) {
    this.context.globalAlpha = opacity * this.opacity(known);
    if (this.context.globalAlpha > 0) this.put(known.image, 0, 0, 1, box);
  }

  /* The cells of a picture that are in the window, and their cells, as far as they show. */
  cells(box) {
    const { columns, width } = this.facts;
    const side = box.side / columns;
    const opacity = fade(side);
    if (!opacity) return;
    const range = (start, end) => [
      Math.max(0, Math.floor(-start / side)),
      Math.min(columns, Math.ceil((end - start) / side)),
    ];
    const [first, last] = range(box.left, this.view.width);
    const [upper, lower] = range(box.top, this.view.height);
    const inner = [];
    for (let row = upper; row < lower; row++) {
      for (let column = first; column < last; column++) {
        const cell = row * columns + column;
        const here = { left: box.left + column * side, top: box.top + row * side, side };
        const place = box.place.cells.get(cell);
        if (!place || !(place.picture || place.canvas)) {
          this.wish(box.place, cell, "picture", here);
          continue;
        }
        place.seen = this.now;
        const enlarged = side > width;
        const sharp = enlarged && place.canvas && this.opacity(place.canvas) === 1;
        if (place.picture && !sharp) this.layer(place.picture, here, opacity);
        if (place.canvas && (enlarged || !place.picture)) this.layer(place.canvas, here, opacity);
        if (!place.canvas && side > 2 * width) this.wish(box.place, cell, "canvas", here);
        inner.push({ place, ...here });
      }
    }
    for (const one of inner) this.cells(one);
  }

  wish(home, cell, form, { left, top, side }, ground = false) {
    this.wishes.push({ home, cell, form, left, top, side, ground });
  }
}
