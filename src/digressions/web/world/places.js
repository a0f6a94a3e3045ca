/* Places of the world: a tree of the pictures that are known, whatever their depth. */

export class Place {
  static count = 0;

  constructor(parent, cell, columns) {
    this.id = Place.count++;
    this.parent = parent;
    this.cell = cell;
    this.columns = columns;
    this.row = Math.floor(cell / columns);
    this.column = cell % columns;
    this.depth = parent ? parent.depth + 1 : 0;
    this.cells = new Map(); // those of its cells that something is known of
    this.picture = null; // {image, since}
    this.canvas = null;
    this.seen = 0; // when it was last drawn
  }

  /* The place of one of its cells. */
  into(cell) {
    let place = this.cells.get(cell);
    if (!place) this.cells.set(cell, (place = new Place(this, cell, this.columns)));
    return place;
  }

  /* The place so many pictures to the right and down, in this parent or another; null outside. */
  beside(right, down) {
    if (!right && !down) return this;
    if (!this.parent) return null;
    const n = this.columns;
    const column = this.column + right;
    const row = this.row + down;
    const home = this.parent.beside(Math.floor(column / n), Math.floor(row / n));
    return home && home.into((row - n * Math.floor(row / n)) * n + column - n * Math.floor(column / n));
  }

  /* Numbers of the cells that lead here: "1500/2200"; the root's is "". */
  get path() {
    const cells = [];
    for (let place = this; place.parent; place = place.parent) cells.push(place.cell);
    return cells.reverse().join("/");
  }

  /* Forgets a form; the tree keeps only what holds a picture or leads to one. */
  drop(form, kept) {
    this[form] = null;
    for (let place = this; place.parent; place = place.parent) {
      if (place.picture || place.canvas || place.cells.size || place === kept) return;
      place.parent.cells.delete(place.cell);
    }
  }
}

/* How far b is from a, of the same depth, in pictures: [right, down]. */
export function offset(a, b) {
  const steps = [];
  while (a !== b) {
    steps.push([b.column - a.column, b.row - a.row]);
    [a, b] = [a.parent, b.parent];
  }
  return steps.reduceRight(([x, y], [dx, dy]) => [x * b.columns + dx, y * b.columns + dy], [0, 0]);
}
