// The page's side of the worker: one picture and one student in, tiles of the larger picture out.

/** Whether this browser has the vector instructions that the runtime is compiled for. */
export function hasSimd() {
  // (module (func (result v128) i32.const 0 i8x16.splat))
  const module = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11];
  return typeof WebAssembly === "object" && WebAssembly.validate(new Uint8Array(module));
}

/** Whether there is a graphics card that the network may run on. */
export async function hasGpu() {
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  return Boolean(adapter);
}

export class Engine {
  #worker;
  #jobs = 0;
  #running; // { job, resolve, reject, onTile }

  /**
   * Upscale a picture, and stop what ran before.
   *
   * picture: { height, width, pixels }. student: an entry of students.json. gpu: try the graphics card first. signal: an AbortSignal.
   * onTile({ bitmap, top, left }, done): a part of the result, in its pixels, and the share that is done. Resolves to { milliseconds, gpu }:
   * what it took once loaded, and whether the graphics card did it; rejects with an AbortError when stopped, with another Error when it
   * failed.
   */
  upscale(picture, student, { gpu, signal, onTile }) {
    this.#stop();
    this.#worker ??= this.#start();
    const job = ++this.#jobs;
    return new Promise((resolve, reject) => {
      this.#running = { job, resolve, reject, onTile };
      signal.addEventListener("abort", () => this.#running?.job === job && this.#stop());
      const { height, width, pixels } = picture;
      this.#worker.postMessage({ job, student, gpu, picture: { height, width, pixels } });
    });
  }

  #stop() {
    if (!this.#running) return;
    this.#worker.postMessage({ job: null });
    this.#running.reject(new DOMException("stopped", "AbortError"));
    this.#running = undefined;
  }

  #start() {
    const worker = new Worker(new URL("./worker.js", import.meta.url));
    worker.onmessage = ({ data }) => this.#receive(data);
    worker.onerror = (event) => this.#fail(event.message || "the worker could not be loaded");
    return worker;
  }

  #receive({ job, tile, done, milliseconds, gpu, error }) {
    if (job !== this.#running?.job) return tile?.bitmap.close(); // of a job that was stopped meanwhile
    if (error !== undefined) this.#fail(error);
    else if (tile) this.#running.onTile(tile, done);
    else this.#finish((running) => running.resolve({ milliseconds, gpu }));
  }

  /** After a failure the runtime's memory may be in any state: the next picture gets a new worker. */
  #fail(message) {
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#finish((running) => running.reject(new Error(message)));
  }

  #finish(settle) {
    const running = this.#running;
    this.#running = undefined;
    if (running) settle(running);
  }
}
