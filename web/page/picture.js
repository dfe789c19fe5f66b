// From whatever a visitor drops to pixels, or to a plain sentence why not.

const SURE_SIDE = 4096; // pixels: a square canvas of this size is painted by every browser

/**
 * Read a picture file.
 *
 * blob: a File or Blob. scale: by how much it will be enlarged. Returns { name, height, width, pixels, bitmap, filled }: pixels RGBA and
 * opaque, turned as EXIF says, in sRGB; filled where transparent parts were made white. Throws an Error that says why not.
 */
export async function readPicture(blob, { scale }) {
  const name = blob.name ?? "image";
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob);
  } catch {
    throw new Error(`${name} is not an image that this browser can read. PNG, JPEG and WebP always are.`);
  }
  const { width, height } = bitmap;
  if (!holdsCanvas(width * scale, height * scale)) {
    bitmap.close();
    throw new Error(
      `${name} is too large: ${scale} times ${width} × ${height} is ${width * scale} × ${height * scale}, and this browser has no room ` +
        "for an image of that size. Crop it, or reduce it first.",
    );
  }
  return { name, width, height, ...opaquePixels(bitmap) };
}

function opaquePixels(bitmap) {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const filled = hasTransparency(context.getImageData(0, 0, canvas.width, canvas.height).data);
  if (filled) {
    context.globalCompositeOperation = "destination-over"; // behind the picture
    context.fillStyle = "white";
    context.fillRect(0, 0, canvas.width, canvas.height);
  }
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  return { pixels: data, bitmap: canvas, filled };
}

function hasTransparency(pixels) {
  for (let at = 3; at < pixels.length; at += 4) if (pixels[at] !== 255) return true;
  return false;
}

/** Whether a canvas of this size can be painted: one that is too large stays empty, without an error. */
function holdsCanvas(width, height) {
  if (Math.max(width, height) <= SURE_SIDE) return true;
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  try {
    context.fillRect(width - 1, height - 1, 1, 1);
    return context.getImageData(width - 1, height - 1, 1, 1).data[3] === 255;
  } catch {
    return false;
  } finally {
    canvas.width = canvas.height = 0; // gives its memory back at once
  }
}
