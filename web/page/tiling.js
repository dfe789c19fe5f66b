// The windows of which a picture is put together, the same numbers as inference/tiling.py plans.
//
// A network pads with zeros at the borders of what it is given. So every window carries a halo of as many pixels as the network
// sees to each side, which is thrown away after upscaling; where a window's border is the picture's own, nothing is.

/**
 * Windows of one size that cover `length` pixels, each adding about `tile` of them.
 *
 * Returns { window, spans }: a span reads [start, start + window) and owns [first, last), in pixels of the small picture. Their
 * number is the smallest that `tile` allows, and the window then the smallest for that number.
 */
export function planAxis(length, { halo, tile }) {
  if (length <= tile + 2 * halo) {
    return { window: length, spans: [{ start: 0, first: 0, last: length }] };
  }
  const inner = length - 2 * halo; // the outermost windows also own the halo at the picture's border, where none is needed
  const step = Math.ceil(inner / Math.ceil(inner / tile));
  return { window: step + 2 * halo, spans: place(length, { step, halo }) };
}

/** Windows from left to right at equal steps, the last one moved back to end with the picture. */
function place(length, { step, halo }) {
  const count = Math.ceil((length - 2 * halo) / step);
  const starts = Array.from({ length: count }, (_, index) => Math.min(index * step, length - step - 2 * halo));
  const firsts = starts.map((start, index) => (index === 0 ? 0 : start + halo));
  return starts.map((start, index) => ({ start, first: firsts[index], last: firsts[index + 1] ?? length }));
}

/** The windows of a picture: { height, width } of each, and their { row, column } spans from top left to bottom right. */
export function planPicture({ height, width }, { halo, tile }) {
  const rows = planAxis(height, { halo, tile });
  const columns = planAxis(width, { halo, tile });
  const windows = rows.spans.flatMap((row) => columns.spans.map((column) => ({ row, column })));
  return { height: rows.window, width: columns.window, windows };
}
