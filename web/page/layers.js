// The two enlarged pictures that the view shows, each drawn in parts, so that neither has to exist as one huge canvas.
//
// A frame says where a picture stands in the view: { zoom, left, top } with zoom in screen pixels per pixel of the enlarged picture,
// left and top of its corner in screen pixels, and what of it is to be seen: visible { left, top, right, bottom }, in its pixels.

import { enlargePart } from "./bicubic.js";

const PART = 96; // pixels of the small picture along each side of a bicubic part
const KEPT = 192; // bicubic parts of a scale of four: 113 MB
const BUDGET_MS = 8; // of each frame for computing bicubic parts

/** The bicubic enlargement, computed where it is looked at. */
export class BicubicLayer {
  #parts = new Map(); // of canvases by "row column", the one drawn last at the end

  /** picture: { height, width, pixels, bitmap }. */
  constructor(picture, scale) {
    this.picture = picture;
    this.scale = scale;
  }

  /** Draw what is visible; true where some of it is still to be computed. */
  draw(context, frame) {
    drawWhole(context, frame, this.picture, this.scale);
    if (frame.zoom * this.scale <= 1) return false; // no larger than the small picture is
    const side = PART * this.scale;
    const deadline = performance.now() + BUDGET_MS;
    let missing = false;
    for (let row = Math.floor(frame.visible.top / side); row * side < frame.visible.bottom; row++) {
      for (let column = Math.floor(frame.visible.left / side); column * side < frame.visible.right; column++) {
        const part = this.#part(row, column, deadline);
        if (part) drawPart(context, frame, part, column * side, row * side);
        else missing = true;
      }
    }
    return missing;
  }

  #part(row, column, deadline) {
    const key = `${row} ${column}`;
    let part = this.#parts.get(key);
    this.#parts.delete(key);
    if (!part) {
      if (performance.now() > deadline) return null;
      part = this.#compute(row, column);
      for (const oldest of [...this.#parts.keys()].slice(0, Math.max(0, this.#parts.size - KEPT + 1))) this.#parts.delete(oldest);
    }
    this.#parts.set(key, part);
    return part;
  }

  #compute(row, column) {
    const [top, left] = [row * PART, column * PART];
    const bottom = Math.min(top + PART, this.picture.height);
    const right = Math.min(left + PART, this.picture.width);
    const pixels = enlargePart(this.picture, this.scale, { top, bottom, left, right });
    const part = newCanvas((right - left) * this.scale, (bottom - top) * this.scale);
    part.getContext("2d").putImageData(new ImageData(pixels, part.width, part.height), 0, 0);
    return part;
  }
}

/** The student's picture, as far as its tiles have come. */
export class StudentLayer {
  #tiles = []; // { bitmap, top, left }

  constructor(picture, scale) {
    this.picture = picture;
    this.scale = scale;
    this.width = picture.width * scale;
    this.height = picture.height * scale;
    this.overview = newCanvas(picture.width, picture.height); // for the view from afar, which would draw hundreds of tiles
    this.overview.getContext("2d").drawImage(picture.bitmap, 0, 0);
  }

  /** tile: { bitmap, top, left }, an ImageBitmap and its place in the enlarged picture. */
  add(tile) {
    this.#tiles.push(tile);
    const context = this.overview.getContext("2d");
    context.imageSmoothingQuality = "high";
    const { bitmap, left, top } = tile;
    context.drawImage(bitmap, left / this.scale, top / this.scale, bitmap.width / this.scale, bitmap.height / this.scale);
  }

  draw(context, frame) {
    drawWhole(context, frame, { ...this.picture, bitmap: this.overview }, this.scale);
    if (frame.zoom * this.scale <= 1) return false;
    const { visible } = frame;
    for (const { bitmap, top, left } of this.#tiles) {
      const apart = left >= visible.right || left + bitmap.width <= visible.left || top >= visible.bottom || top + bitmap.height <= visible.top;
      if (!apart) drawPart(context, frame, bitmap, left, top);
    }
    return false;
  }

  /** The whole picture as a PNG. Resolves to a Blob; rejects where the browser has no room for it. */
  toPng() {
    const whole = new OffscreenCanvas(this.width, this.height); // whose PNG does not wait for idle moments, as that of a visible canvas does
    const context = whole.getContext("2d");
    for (const { bitmap, top, left } of this.#tiles) context.drawImage(bitmap, left, top);
    return whole.convertToBlob({ type: "image/png" });
  }

  /** Give the tiles' memory back. */
  close() {
    for (const { bitmap } of this.#tiles) bitmap.close();
    this.#tiles = [];
  }
}

function drawWhole(context, frame, { bitmap, width, height }, scale) {
  context.drawImage(bitmap, frame.left, frame.top, width * scale * frame.zoom, height * scale * frame.zoom);
}

/** At whole screen pixels, so that no seam shows between neighbours. */
function drawPart(context, { zoom, left, top }, image, x, y) {
  const [x0, y0] = [Math.round(left + x * zoom), Math.round(top + y * zoom)];
  const [x1, y1] = [Math.round(left + (x + image.width) * zoom), Math.round(top + (y + image.height) * zoom)];
  context.drawImage(image, x0, y0, x1 - x0, y1 - y0);
}

function newCanvas(width, height) {
  return Object.assign(document.createElement("canvas"), { width, height });
}
