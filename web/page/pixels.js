// Between the pixels of a canvas (RGBA, 8 bits) and a network's tensors (RGB, float32 in [0, 1] or quantised to uint8).
//
// Every step is rounded to float32, as in inference/engines.py and inference/upscaler.py: the page and upscale.py give the same
// pixels.

const { fround } = Math;

/**
 * The rows and columns of a picture that a window reads, as a network's input.
 *
 * picture: { width, pixels } with RGBA pixels. part: { top, left, height, width }. type: { dtype: "float32" }, or
 * { dtype: "uint8", scale, zero_point } for which pixel = scale · (q − zero_point). Returns height · width · 3 values.
 */
export function toTensor(picture, part, type) {
  const values = inputValues(type);
  const tensor = new values.constructor(part.height * part.width * 3);
  let at = 0;
  for (let row = part.top; row < part.top + part.height; row++) {
    let from = 4 * (row * picture.width + part.left);
    for (let column = 0; column < part.width; column++, from += 4) {
      tensor[at++] = values[picture.pixels[from]];
      tensor[at++] = values[picture.pixels[from + 1]];
      tensor[at++] = values[picture.pixels[from + 2]];
    }
  }
  return tensor;
}

/**
 * A part of a network's output as opaque RGBA pixels, rounded half up.
 *
 * tensor: rows of `stride` pixels. part: { top, left, height, width }. type: as in toTensor. Throws an Error on NaN.
 */
export function fromTensor(tensor, stride, part, type) {
  const values = tensor.subarray(3 * part.top * stride, 3 * (part.top + part.height) * stride);
  const pixels = new Uint8ClampedArray(4 * part.height * part.width).fill(255);
  const toByte = type.dtype === "float32" ? floatToByte : tableToByte(type);
  let sum = 0; // one NaN makes the sum NaN; stored as a byte it would be a silent black
  for (let row = 0, at = 0; row < part.height; row++) {
    let from = 3 * (row * stride + part.left);
    for (let column = 0; column < part.width; column++, at += 4) {
      for (let channel = 0; channel < 3; channel++) {
        const value = values[from++];
        sum += value;
        pixels[at + channel] = toByte(value);
      }
    }
  }
  if (Number.isNaN(sum)) throw new Error("the network's output holds NaN: its weights are damaged");
  return pixels;
}

/** What each of the 256 values of a colour becomes in the input tensor. */
function inputValues(type) {
  const floats = Float32Array.from({ length: 256 }, (_, value) => value / 255);
  if (type.dtype === "float32") return floats;
  const quantised = Uint8ClampedArray.from(floats, (pixel) => fround(pixel / fround(type.scale)) + type.zero_point); // rounds half to even
  return new Uint8Array(quantised.buffer);
}

function floatToByte(value) {
  return Math.floor(fround(fround(Math.min(Math.max(value, 0), 1) * 255) + 0.5));
}

function tableToByte(type) {
  const table = Uint8Array.from({ length: 256 }, (_, q) => floatToByte(fround((q - type.zero_point) * fround(type.scale))));
  return (q) => table[q];
}
