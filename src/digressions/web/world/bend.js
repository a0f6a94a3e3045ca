/* Exactness in a band, as mosaics/cells.py has it: a picture averaged to b x b values is its cell.

   The same tone curves x ** gamma with a smooth exponent, solved by the same steps, so that a
   picture in its place has the colours of its cell to one grey level, however deep. Pictures are
   RGBA bytes; bands are 3 planes of b x b means in 0..1. */

const DARKEST = 1 / 512;
const STEEPEST = 7;
const TOLERANCE = 0.25 / 255;
const SWEEPS = 24;

const clamp = (value, least, most) => Math.min(most, Math.max(least, value));
const tone = (value) => clamp(value, DARKEST, 1 - DARKEST);
const LOGS = Float64Array.from({ length: 256 }, (_, byte) => Math.log(tone(byte / 255)));

/* Means over b x b boxes of a square of a picture that is `stride` pixels wide. */
export function bandOf(bytes, stride, b, left = 0, top = 0, side = stride) {
  const band = new Float64Array(3 * b * b);
  const box = side / b;
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const at = 4 * ((top + y) * stride + left + x);
      const into = Math.floor(y / box) * b + Math.floor(x / box);
      for (let c = 0; c < 3; c++) band[c * b * b + into] += bytes[at + c];
    }
  }
  return band.map((sum) => sum / (255 * box * box));
}

/* Bends a picture to a band. `powers`, logarithms of the exponents at the centres of the boxes, are
   where to begin (another size of the same picture has nearly the same) and what was found. */
export function bend(bytes, width, height, band, b, powers = new Float64Array(3 * b * b)) {
  const bent = new Uint8ClampedArray(bytes.length).fill(255);
  const lie = { across: between(width, b), down: between(height, b), width, height };
  const values = new Float64Array(width * height);
  for (let c = 0; c < 3; c++) {
    const wanted = band.subarray(c * b * b, (c + 1) * b * b);
    solve(bytes, c, wanted, b, powers.subarray(c * b * b, (c + 1) * b * b), lie, values);
    reach(values, width, height, wanted, b);
    for (let i = 0; i < values.length; i++) bent[4 * i + c] = 255 * values[i];
  }
  return bent;
}

/* Newton's method; leaves the picture in `values`. */
function solve(bytes, c, wanted, b, powers, lie, values) {
  for (let sweep = 0; ; sweep++) {
    const { means, slopes } = curve(bytes, c, b, powers, lie, values);
    const missing = means.map((mean, box) => tone(wanted[box]) - mean);
    if (sweep === SWEEPS || missing.every((part) => Math.abs(part) < TOLERANCE)) return;
    missing.forEach((part, box) => {
      const step = clamp(part / Math.min(-1e-4, slopes[box]), -0.7, 0.7);
      powers[box] = clamp(powers[box] + step, -STEEPEST, STEEPEST);
    });
  }
}

/* One channel bent, with the means of its boxes and their derivatives by their own powers. */
function curve(bytes, c, b, powers, { across, down, width, height }, values) {
  const { lower, upper, share, halves } = across;
  const means = new Float64Array(b * b);
  const slopes = new Float64Array(b * b);
  const row = new Float64Array(b);
  const [high, count] = [height / b, (width / b) * (height / b)];
  for (let y = 0; y < height; y++) {
    for (let j = 0; j < b; j++) {
      const above = powers[down.lower[y] * b + j];
      row[j] = above + down.share[y] * (powers[down.upper[y] * b + j] - above);
    }
    for (const [start, end, j] of halves) {
      const [near, far] = [row[lower[start]], row[upper[start]]];
      const pace = start + 1 < end ? share[start + 1] - share[start] : 0;
      const ratio = Math.exp((far - near) * pace);
      let gamma = Math.exp(near + (far - near) * share[start]); // geometric: its logarithm is linear
      let mean = 0;
      let slope = 0;
      for (let at = y * width + start, last = y * width + end; at < last; at++) {
        const power = gamma * LOGS[bytes[4 * at + c]];
        const value = Math.exp(power);
        values[at] = value;
        mean += value;
        slope += value * power;
        gamma *= ratio;
      }
      const into = Math.floor(y / high) * b + j;
      means[into] += mean / count;
      slopes[into] += slope / count;
    }
  }
  return { means, slopes };
}

/* Between which two of b centres each pixel lies, and how far on the way; bilinear. */
function between(side, b) {
  const at = (pixel) => Math.max(0, ((pixel + 0.5) * b) / side - 0.5);
  const lower = Int32Array.from({ length: side }, (_, x) => Math.floor(at(x)));
  const box = side / b;
  return {
    lower,
    upper: lower.map((j) => Math.min(b - 1, j + 1)),
    share: Float64Array.from(lower, (j, x) => at(x) - j),
    halves: Array.from({ length: b }, (_, j) => {
      const [start, middle, end] = [j * box, j * box + Math.floor(box / 2), (j + 1) * box];
      return [[start, middle, j], [middle, end, j]];
    }).flat().filter(([start, end]) => start < end), // of boxes: none has a centre inside
  };
}

/* What no tone curve reaches: each box is shifted, and clipped, until its mean is right. */
function reach(values, width, height, wanted, b) {
  const [wide, high, count] = [width / b, height / b, (width / b) * (height / b)];
  const boxOf = (i) => Math.floor(Math.floor(i / width) / high) * b + Math.floor((i % width) / wide);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const means = new Float64Array(b * b);
    for (let i = 0; i < values.length; i++) means[boxOf(i)] += values[i] / count;
    const missing = means.map((mean, at) => wanted[at] - mean);
    if (missing.every((part) => Math.abs(part) < TOLERANCE)) return;
    const room = new Float64Array(b * b).fill(1);
    for (let i = 0; i < values.length; i++) {
      const at = boxOf(i);
      if (Math.sign(missing[at]) * (values[i] - 0.5) >= 0.5) room[at] -= 1 / count;
    }
    for (let i = 0; i < values.length; i++) {
      const at = boxOf(i);
      values[i] = clamp(values[i] + missing[at] / Math.max(0.02, room[at]), 0, 1);
    }
  }
}
