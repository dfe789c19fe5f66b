// Mouse, touch and keyboard on the view.

const GRIP = 24; // CSS pixels beside the divider where it can be taken

/** canvas: that of `view`. onDivider(share of the width): the visitor moves the divider. */
export function listenForGestures(canvas, view, onDivider) {
  new Pointers(canvas, view, onDivider);
  canvas.addEventListener("wheel", (event) => turnWheel(event, canvas, view), { passive: false });
  canvas.addEventListener("keydown", (event) => pressKey(event, canvas, view));
}

/** One pointer drags the divider or the picture, two pinch it. */
class Pointers {
  #down = new Map(); // id: { x, y } in screen pixels
  #holdsDivider = false;

  constructor(canvas, view, onDivider) {
    Object.assign(this, { canvas, view, onDivider });
    canvas.addEventListener("pointerdown", (event) => this.#press(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const type of ["pointerup", "pointercancel"]) canvas.addEventListener(type, (event) => this.#release(event));
  }

  #press(event) {
    if (this.view.empty) return;
    const point = screenPoint(event);
    this.canvas.setPointerCapture(event.pointerId);
    this.#down.set(event.pointerId, point);
    this.#holdsDivider = this.#down.size === 1 && this.#nearDivider(point);
  }

  #move(event) {
    const point = screenPoint(event);
    this.canvas.style.cursor = !this.view.empty && this.#nearDivider(point) ? "ew-resize" : "";
    const before = this.#down.get(event.pointerId);
    if (!before) return;
    if (this.#holdsDivider) this.onDivider(Math.min(Math.max(point.x / this.canvas.width, 0), 1));
    else if (this.#down.size === 2) this.#pinch(event.pointerId, before, point);
    else this.view.panBy(point.x - before.x, point.y - before.y);
    this.#down.set(event.pointerId, point);
  }

  /** The picture follows the middle of the two fingers, and their distance. */
  #pinch(id, before, after) {
    const [, other] = [...this.#down].find(([otherId]) => otherId !== id);
    const distance = (point) => Math.hypot(point.x - other.x, point.y - other.y) || 1;
    this.view.panBy((after.x - before.x) / 2, (after.y - before.y) / 2);
    this.view.zoomBy(distance(after) / distance(before), { x: (after.x + other.x) / 2, y: (after.y + other.y) / 2 });
  }

  #release(event) {
    this.#down.delete(event.pointerId);
    this.#holdsDivider = false;
  }

  #nearDivider(point) {
    return Math.abs(point.x - this.view.divider * this.canvas.width) < GRIP * window.devicePixelRatio;
  }
}

/** Zooms only while the view has the focus, or with Ctrl (which is how a touchpad's pinch comes); otherwise the page scrolls. */
function turnWheel(event, canvas, view) {
  if (view.empty || !(event.ctrlKey || document.activeElement === canvas)) return;
  event.preventDefault();
  view.zoomBy(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), screenPoint(event));
}

function pressKey(event, canvas, view) {
  if (view.empty || event.ctrlKey || event.metaKey || event.altKey) return;
  const step = 0.1 * Math.min(canvas.width, canvas.height);
  const actions = {
    ArrowLeft: () => view.panBy(step, 0),
    ArrowRight: () => view.panBy(-step, 0),
    ArrowUp: () => view.panBy(0, step),
    ArrowDown: () => view.panBy(0, -step),
    "+": () => view.zoomBy(1.25),
    "=": () => view.zoomBy(1.25), // + without Shift on most keyboards
    "-": () => view.zoomBy(0.8),
    0: () => view.fit(),
    1: () => view.actualSize(),
  };
  const action = actions[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

function screenPoint(event) {
  return { x: event.offsetX * window.devicePixelRatio, y: event.offsetY * window.devicePixelRatio };
}
