/* A finite world: a bank of pictures, each bent to the colours of its place, without end.

   As worlds/bank.py: a map leads from every cell of every picture of the bank to one of the bank.
   A place's canvas is the bank's, bent to its cell of the parent's canvas; so every picture is exact
   in the band against the picture above it, and nothing adds up on the way down. */

import { bandOf, bend } from "./bend.js";

const CELL = 8; // pixels of a canvas in a cell
const HELD = 64e6; // bytes of decoded images that are kept, of each kind

/* A map that forgets what was not used for longest. */
class Held extends Map {
  constructor(width, height) {
    super();
    this.most = Math.max(4, Math.floor(HELD / (4 * width * height)));
  }

  async obtain(key, make) {
    const value = this.has(key) ? this.get(key) : await make();
    this.delete(key);
    this.set(key, value);
    if (this.size > this.most) this.delete(this.keys().next().value);
    return value;
  }
}

/* The bytes of a part of an image. */
function pixels(image, left, top, width, height) {
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(image, left, top, width, height, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}

/* The bank's files. Bytes that came once are kept, so that it works on without its server. */
class Files {
  constructor(facts, home) {
    Object.assign(this, { facts, home, files: new Map(), maps: new Map() });
    const { canvas, width, height, bank: { across, margin } } = facts;
    this.canvases = new Held(canvas, canvas);
    this.pictures = new Held(width, height);
    this.sheets = new Held((width + 2 * margin) * across, (height + 2 * margin) * across);
  }

  async file(name) {
    if (!this.files.has(name)) {
      const answer = await fetch(this.home + name).catch(() => null);
      if (!answer) throw new Error("The server does not answer.");
      if (!answer.ok) throw new Error(`${name} is missing.`);
      this.files.set(name, await answer.blob());
    }
    return this.files.get(name);
  }

  async image(name) {
    const options = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
    return createImageBitmap(await this.file(name), options);
  }

  canvas(index) {
    return this.canvases.obtain(index, async () => (
      pixels(await this.image(`${index}.webp`), 0, 0, this.facts.canvas, this.facts.canvas)
    ));
  }

  /* Pictures lie on sheets of `across` x `across`; or are their canvases, where across is 0. */
  picture(index) {
    const { width, height, bank: { across, margin } } = this.facts;
    if (!across) return this.canvas(index);
    const sheet = Math.floor(index / across ** 2);
    const [row, column] = [Math.floor((index % across ** 2) / across), index % across];
    return this.pictures.obtain(index, async () => {
      const image = await this.sheets.obtain(sheet, () => this.image(`sheet-${sheet}.webp`));
      const left = column * (width + 2 * margin) + margin;
      const top = row * (height + 2 * margin) + margin;
      return pixels(image, left, top, width, height);
    });
  }

  /* Which of the bank comes in a cell of one of it. */
  async next(index, cell) {
    if (!this.maps.has(index)) {
      const bytes = await (await this.file(`${index}.map`)).arrayBuffer();
      this.maps.set(index, this.facts.bank.wide ? new Uint16Array(bytes) : new Uint8Array(bytes));
    }
    return this.maps.get(index)[cell];
  }
}

class World {
  constructor(facts, files) {
    Object.assign(this, { facts, files });
    this.known = new Held(facts.canvas, facts.canvas); // path: {index, bytes} of bent canvases
  }

  /* The canvas of a place and which of the bank it is: down from the nearest that is known. */
  async canvas(cells, breathe) {
    let depth = cells.length;
    while (depth && !this.known.has(cells.slice(0, depth).join("/"))) depth--;
    let here = await this.known.obtain(cells.slice(0, depth).join("/"), async () => (
      { index: 0, bytes: await this.files.canvas(0) }
    ));
    for (; depth < cells.length; depth++) {
      const above = here;
      here = await this.known.obtain(cells.slice(0, depth + 1).join("/"), async () => {
        const index = await this.files.next(above.index, cells[depth]);
        const canvas = await this.files.canvas(index);
        const picture = await this.files.picture(index);
        const powers = this.powers();
        this.bent(picture, this.facts, above, cells[depth], powers);
        return { index, bytes: this.bent(canvas, this.square, above, cells[depth], powers) };
      });
      await breathe();
    }
    return here;
  }

  async picture(above, cell) {
    const picture = await this.files.picture(await this.files.next(above.index, cell));
    return this.bent(picture, this.facts, above, cell, this.powers());
  }

  powers() {
    return new Float64Array(3 * this.facts.bank.band ** 2);
  }

  /* The size of a canvas. */
  get square() {
    return { width: this.facts.canvas, height: this.facts.canvas };
  }

  bent(bytes, { width, height }, above, cell, powers) {
    const { columns, canvas, bank: { band } } = this.facts;
    if (!band) return bytes;
    const [left, top] = [CELL * (cell % columns), CELL * Math.floor(cell / columns)];
    const wanted = bandOf(above.bytes, canvas, band, left, top, CELL);
    return bend(bytes, width, height, wanted, band, powers);
  }

  /* Images for an order {form, path, cells}. */
  async images({ form, path, cells }, breathe) {
    const home = path ? path.split("/").map(Number) : [];
    if (form === "canvas") {
      const { bytes } = await this.canvas([...home, ...(cells || [])], breathe);
      return [await image(bytes, this.square)];
    }
    const above = await this.canvas(home, breathe);
    const images = [];
    for (const cell of cells) images.push(await image(await this.picture(above, cell), this.facts));
    return images;
  }
}

const image = (bytes, { width, height }) => createImageBitmap(new ImageData(bytes, width, height));

/* Some browsers give false pixels to pages that read them, unless they are allowed to. */
function readsPixels() {
  const context = new OffscreenCanvas(8, 8).getContext("2d");
  context.fillStyle = "rgb(24 120 216)";
  context.fillRect(0, 0, 8, 8);
  return bandOf(context.getImageData(0, 0, 8, 8).data, 8, 1)
    .every((mean, c) => Math.abs(255 * mean - [24, 120, 216][c]) < 2);
}

/* One order after the other; those that are dropped meanwhile are not begun, or left half-way. */
let world = null;
const waiting = new Map();
let busy = false;

async function work() {
  if (busy) return;
  busy = true;
  while (waiting.size) {
    const [id, order] = waiting.entries().next().value;
    const breathe = async () => {
      await new Promise((resolve) => setTimeout(resolve));
      if (!waiting.has(id)) throw new Error("dropped");
    };
    try {
      await breathe();
      if (!readsPixels()) throw new Error("This browser keeps pages from reading pictures: allow this one to.");
      const images = await world.images(order, breathe);
      postMessage({ id, images }, images);
    } catch (error) {
      postMessage({ id, trouble: error.message });
    }
    waiting.delete(id);
  }
  busy = false;
}

onmessage = ({ data }) => {
  if (data.facts) world = new World(data.facts, new Files(data.facts, data.home));
  else if ("drop" in data) waiting.delete(data.drop);
  else {
    waiting.set(data.id, data);
    work();
  }
};
