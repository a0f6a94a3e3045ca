/* Which cell a flight goes into: as scores() and best_cells() of worlds/ways.py. */

const INNER = [0.2, 0.8]; // where in a picture the way may go on, in parts of its side
const BEST = 0.04; // part of the cells that it chooses from
const READABLE = 0.62; // lightness that leaves a picture room to be darker and brighter
const WINDOWS = [3, 7, 15]; // cells across, in which something should be seen on the way down

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

const isInner = (at, n) => at + 0.5 >= INNER[0] * n && at + 0.5 <= INNER[1] * n;

/* How much colours differ in a square around a cell; beyond the border its cells go on. */
function contrast(cells, n, row, column, window) {
  const half = Math.floor(window / 2);
  const within = (at) => Math.min(n - 1, Math.max(0, at));
  const sums = [0, 0, 0];
  const squares = [0, 0, 0];
  for (let down = -half; down <= half; down++) {
    for (let right = -half; right <= half; right++) {
      const lab = cells[within(row + down) * n + within(column + right)];
      for (let i = 0; i < 3; i++) {
        sums[i] += lab[i];
        squares[i] += lab[i] * lab[i];
      }
    }
  }
  const count = window * window;
  const spread = sums.map((sum, i) => Math.sqrt(Math.max(0, squares[i] / count - (sum / count) ** 2)));
  return Math.hypot(...spread);
}

/* How well a flight into each inner cell can be read: [{cell, score}]. A cell that is neither dark nor
   bright has a readable picture, and something is in sight all the way down to it where colours
   differ as seen through a small window as well as a large one. `bytes`: RGBA, one pixel a cell. */
export function scores(bytes, n) {
  const cells = Array.from({ length: n * n }, (_, cell) => oklab(bytes, 4 * cell));
  const mean = [0, 1, 2].map((i) => cells.reduce((sum, lab) => sum + lab[i], 0) / cells.length);
  const windows = WINDOWS.map((window) => Math.min(window, n | 1));
  const found = [];
  for (let cell = 0; cell < n * n; cell++) {
    const [row, column] = [Math.floor(cell / n), cell % n];
    if (!isInner(row, n) || !isInner(column, n)) continue;
    const [l, a, b] = cells[cell];
    const differing = windows.reduce((all, w) => all * (0.01 + contrast(cells, n, row, column, w)), 1);
    const standsOut = Math.hypot(l - mean[0], a - mean[1], b - mean[2]);
    const readable = Math.exp(-(((l - READABLE) / 0.18) ** 2));
    found.push({ cell, score: readable * (0.02 + standsOut + differing ** (1 / windows.length)) });
  }
  return found;
}

/* A cell to fly into: by chance one of the best. */
export function chooseCell(image, n) {
  const small = new OffscreenCanvas(n, n);
  const context = small.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, n, n);
  const scored = scores(context.getImageData(0, 0, n, n).data, n);
  scored.sort((a, b) => b.score - a.score);
  const best = scored.slice(0, Math.max(1, Math.round(BEST * scored.length)));
  return best[Math.floor(Math.random() * best.length)].cell;
}
