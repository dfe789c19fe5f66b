// The view: two layers with a divider between them, at any zoom. gestures.js moves it.

const MAX_ZOOM = 16; // screen pixels for each pixel of the enlarged picture

export class View {
  #canvas;
  #context;
  #size = { width: 0, height: 0 }; // of the enlarged picture
  #layers = { left: null, right: null };
  #zoom = 1;
  #centre = { x: 0, y: 0 }; // of the view, in pixels of the enlarged picture
  #fitted = true;
  #divider = 0.5;
  #scheduled = false;

  /** onZoom(screen pixels per pixel of the enlarged picture): called when it changes. */
  constructor(canvas, { onZoom }) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
    this.onZoom = onZoom;
    new ResizeObserver(() => this.#resize()).observe(canvas);
  }

  /** left, right: layers or null. size: { width, height } of the enlarged picture; a new size is fitted into the view. */
  show(layers, size) {
    this.#layers = layers;
    const changed = size.width !== this.#size.width || size.height !== this.#size.height;
    this.#size = size;
    if (changed) this.fit();
    this.redraw();
  }

  /** Where the divider stands, as a share of the view's width. */
  get divider() {
    return this.#divider;
  }

  set divider(share) {
    this.#divider = Math.min(Math.max(share, 0), 1);
    this.redraw();
  }

  get empty() {
    return !this.#layers.left;
  }

  /** The whole picture, as large as it can be seen whole. */
  fit() {
    const { width, height } = this.#canvas;
    this.#fitted = true;
    this.#centre = { x: this.#size.width / 2, y: this.#size.height / 2 };
    this.#setZoom(Math.min(width / this.#size.width, height / this.#size.height, MAX_ZOOM) || 1);
  }

  /** One pixel of the enlarged picture on one pixel of the screen. */
  actualSize() {
    this.zoomBy(1 / this.#zoom);
  }

  /** Zoom in or out; what lies at `point` (screen pixels in the view, its middle by default) stays there. */
  zoomBy(factor, point = this.#middle()) {
    const { width, height } = this.#size;
    const least = Math.min(this.#canvas.width / width, this.#canvas.height / height, 1) / 2;
    const zoom = Math.min(Math.max(this.#zoom * factor, least), MAX_ZOOM);
    const [dx, dy] = [point.x - this.#middle().x, point.y - this.#middle().y];
    this.#moveCentre(dx / this.#zoom - dx / zoom, dy / this.#zoom - dy / zoom);
    this.#setZoom(zoom);
  }

  /** Move the picture by so many screen pixels. */
  panBy(x, y) {
    this.#moveCentre(-x / this.#zoom, -y / this.#zoom);
    this.redraw();
  }

  redraw() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#draw();
    });
  }

  #setZoom(zoom) {
    this.#zoom = zoom;
    this.onZoom(zoom);
    this.redraw();
  }

  /** By x and y pixels of the enlarged picture, which never leaves the middle of the view. */
  #moveCentre(x, y) {
    const { width, height } = this.#size;
    this.#fitted = false;
    this.#centre = { x: Math.min(Math.max(this.#centre.x + x, 0), width), y: Math.min(Math.max(this.#centre.y + y, 0), height) };
  }

  #middle() {
    return { x: this.#canvas.width / 2, y: this.#canvas.height / 2 };
  }

  #resize() {
    const density = window.devicePixelRatio;
    this.#canvas.width = Math.round(this.#canvas.clientWidth * density);
    this.#canvas.height = Math.round(this.#canvas.clientHeight * density);
    if (this.#fitted && this.#size.width) this.fit();
    this.#draw(); // at once: setting the size has emptied the canvas
  }

  #draw() {
    const context = this.#context;
    const { width, height } = this.#canvas;
    context.clearRect(0, 0, width, height);
    if (this.empty) return;
    const x = Math.round(this.#divider * width);
    const missing = [this.#drawLayer(this.#layers.left, 0, x), this.#drawLayer(this.#layers.right, x, width)];
    this.#drawDivider(x);
    if (missing.includes(true)) this.redraw();
  }

  #drawLayer(layer, from, to) {
    if (from >= to) return false;
    const context = this.#context;
    const zoom = this.#zoom;
    const left = Math.round(this.#middle().x - this.#centre.x * zoom);
    const top = Math.round(this.#middle().y - this.#centre.y * zoom);
    const visible = {
      left: Math.max(0, (from - left) / zoom),
      right: Math.min(this.#size.width, (to - left) / zoom),
      top: Math.max(0, -top / zoom),
      bottom: Math.min(this.#size.height, (this.#canvas.height - top) / zoom),
    };
    context.save();
    context.beginPath();
    context.rect(from, 0, to - from, this.#canvas.height);
    context.clip();
    context.imageSmoothingEnabled = zoom < 2; // nearer than that, pixels are shown as they are
    context.imageSmoothingQuality = "high";
    const missing = layer.draw(context, { zoom, left, top, visible });
    context.restore();
    return missing;
  }

  #drawDivider(x) {
    const context = this.#context;
    const density = window.devicePixelRatio;
    const middle = this.#canvas.height / 2;
    for (const [colour, width] of [["rgb(0 0 0 / 60%)", 4], ["white", 2]]) {
      context.strokeStyle = colour;
      context.lineWidth = width * density;
      context.beginPath();
      context.moveTo(x, 0);
      context.lineTo(x, this.#canvas.height);
      context.stroke();
    }
    context.beginPath();
    context.arc(x, middle, 10 * density, 0, 2 * Math.PI);
    context.fillStyle = "white";
    context.fill();
    context.strokeStyle = "rgb(0 0 0 / 60%)";
    context.lineWidth = density;
    context.stroke();
  }
}
