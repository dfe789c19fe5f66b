// Bicubic enlargement by a whole factor: what MATLAB's imresize and data/bicubic.py compute.
//
// Keys' cubic kernel with a = −0.5, pixel centres at half-integers, borders mirrored with the edge pixel repeated, rounded half up.
// Source: R. Keys, "Cubic convolution interpolation for digital image processing", 1981.

const TIE_GUARD = 1e-9; // as in data/bicubic.py: what lies this near to .5 is meant to be .5

/**
 * The part of `picture`, enlarged `scale` times, that its pixels [top, bottom) × [left, right) become.
 *
 * picture: { height, width, pixels } with opaque RGBA pixels. Returns Uint8ClampedArray, RGBA, (bottom − top) · scale rows of
 * (right − left) · scale pixels.
 */
export function enlargePart(picture, scale, { top, bottom, left, right }) {
  const rows = axisTaps(picture.height, scale, top, bottom);
  const columns = axisTaps(picture.width, scale, left, right);
  const result = new Uint8ClampedArray(4 * rows.length * columns.length).fill(255);
  const firstColumn = Math.max(0, left - 2);
  const mixed = new Float64Array(3 * (Math.min(picture.width, right + 2) - firstColumn)); // one row, enlarged from top to bottom only
  rows.forEach((taps, row) => {
    mixRows(picture, taps, firstColumn, mixed);
    let at = 4 * row * columns.length;
    for (const { indices, weights } of columns) {
      for (let channel = 0; channel < 3; channel++) {
        let sum = 0.5 + TIE_GUARD;
        for (let tap = 0; tap < 4; tap++) sum += weights[tap] * mixed[3 * (indices[tap] - firstColumn) + channel];
        result[at + channel] = Math.floor(sum);
      }
      at += 4;
    }
  });
  return result;
}

function mixRows(picture, { indices, weights }, firstColumn, mixed) {
  mixed.fill(0);
  for (let tap = 0; tap < 4; tap++) {
    let from = 4 * (indices[tap] * picture.width + firstColumn);
    for (let at = 0; at < mixed.length; at += 3, from += 4) {
      mixed[at] += weights[tap] * picture.pixels[from];
      mixed[at + 1] += weights[tap] * picture.pixels[from + 1];
      mixed[at + 2] += weights[tap] * picture.pixels[from + 2];
    }
  }
}

/** For each enlarged pixel of [first, last) along an axis of `length`: the four pixels that it is mixed from, and their weights. */
function axisTaps(length, scale, first, last) {
  return Array.from({ length: (last - first) * scale }, (_, step) => {
    const centre = (first * scale + step + 0.5) / scale - 0.5;
    const nearest = [-1, 0, 1, 2].map((offset) => Math.floor(centre) + offset);
    return { indices: nearest.map((index) => mirrored(index, length)), weights: nearest.map((index) => kernel(centre - index)) };
  });
}

function mirrored(index, length) {
  const wrapped = ((index % (2 * length)) + 2 * length) % (2 * length); // … c b a | a b c | c b a …
  return wrapped < length ? wrapped : 2 * length - 1 - wrapped;
}

function kernel(distance) {
  const x = Math.abs(distance);
  if (x <= 1) return (1.5 * x - 2.5) * x * x + 1;
  return x <= 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}
