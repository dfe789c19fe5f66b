// The worker's side of engine.js: runs a student over a picture, window by window.

import { loadAndCompile, loadLiteRt, Tensor } from "./litert/index.js";
import { fromTensor, toTensor } from "./pixels.js";
import { planPicture } from "./tiling.js";

// Pixels of the small picture that a window adds along each axis: some tenths of a second at most for each, and a fifth of the work
// spent on halos of ten pixels.
const TILE = 192;

let runtime; // a promise, once it is wanted
let compiled; // { key, network, gpu }: of the student and the window size used last
let wanted; // number of the job to run; another number, or null, stops the one that runs
let queue = Promise.resolve(); // jobs run one after another

/**
 * { job, student, picture, gpu }: upscale, with gpu on the graphics card where that can. { job: null }: stop. Posts { job, … } with tile and
 * done, then milliseconds and gpu (whether it ran there), or error.
 */
export function receive({ job, student, picture, gpu }) {
  wanted = job;
  if (job === null) return;
  const post = (message, transfer) => self.postMessage({ job, ...message }, transfer);
  queue = queue
    .then(() => run(job, student, picture, post, gpu))
    .catch((error) => post({ error: String(error?.message ?? error) }));
}

async function run(job, student, picture, post, gpu) {
  if (job !== wanted) return;
  await (runtime ??= loadRuntime());
  const plan = planPicture(picture, { halo: student.receptive_field, tile: TILE });
  const network = await compile(student, plan, gpu);
  const ran = compiled.gpu;
  const started = performance.now();
  try {
    if (!(await runWindows(job, network, { student, picture, plan }, post))) return;
  } catch (error) {
    if (!ran) throw error;
    console.debug("the graphics card failed, the processor goes on:", error);
    return run(job, student, picture, post, false);
  }
  post({ milliseconds: performance.now() - started, gpu: ran });
}

/** false where the job was stopped. */
async function runWindows(job, network, { student, picture, plan }, post) {
  for (const [index, { row, column }] of plan.windows.entries()) {
    await messages(); // a message that stops this job is heard here
    if (job !== wanted) return false;
    const window = { top: row.start, left: column.start, height: plan.height, width: plan.width };
    const tensor = await runNetwork(network, toTensor(picture, window, student.input), window);
    await postTile(tensor, { row, column, window, student, done: (index + 1) / plan.windows.length }, post);
  }
  return true;
}

async function postTile(tensor, { row, column, window, student, done }, post) {
  const { scale, output } = student;
  const part = {
    top: (row.first - row.start) * scale,
    left: (column.first - column.start) * scale,
    height: (row.last - row.first) * scale,
    width: (column.last - column.first) * scale,
  };
  const pixels = fromTensor(tensor, window.width * scale, part, output);
  const bitmap = await createImageBitmap(new ImageData(pixels, part.width, part.height));
  post({ tile: { bitmap, top: row.first * scale, left: column.first * scale }, done }, [bitmap]);
}

function loadRuntime() {
  const folder = new URL("./litert/", import.meta.url).href;
  const inFolder = (name) => new URL(name, folder).href;
  self.Module = {
    locateFile: inFolder,
    mainScriptUrlOrBlob: inFolder("litert_wasm_threaded_internal.js"), // what each thread starts from
    printErr: console.debug, // XNNPACK remarks on this and that; nothing of it is an error
  };
  return loadLiteRt(folder, { threads: self.crossOriginIsolated });
}

/** The student for windows of one size: the runtime takes no others than the file says, so they are written into the file. */
async function compile(student, { height, width }, gpu) {
  const key = `${student.file} ${height} ${width} ${gpu}`;
  if (compiled?.key === key) return compiled.network;
  compiled?.network.delete();
  compiled = undefined;
  const bytes = await download(new URL(`./students/${student.file}`, import.meta.url));
  const view = new DataView(bytes);
  for (const [offset, factor] of student.sizes) {
    view.setInt32(offset, factor * height, true);
    view.setInt32(offset + 4, factor * width, true);
  }
  const onGpu = gpu ? await compileForGpu(new Uint8Array(bytes)) : null;
  const network = onGpu ?? (await loadAndCompile(new Uint8Array(bytes), { accelerator: "wasm" }));
  compiled = { key, network, gpu: onGpu !== null };
  return network;
}

/** null where the graphics card would not run all of it: the runtime then takes the processor without a word. */
async function compileForGpu(bytes) {
  try {
    const network = await loadAndCompile(bytes, { accelerator: "webgpu" });
    if (network.isFullyAccelerated) return network;
    network.delete();
  } catch (error) {
    console.debug("not for this graphics card:", error);
  }
  return null;
}

async function download(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
  return response.arrayBuffer();
}

async function runNetwork(network, values, { height, width }) {
  const input = new Tensor(values, [1, height, width, 3]);
  const [output] = await network.run([input]);
  const result = await output.data(); // a copy, from wherever it lies
  input.delete(); // tensors lie in WebAssembly's memory, where no garbage is collected
  output.delete();
  return result;
}

const messages = () => new Promise((resolve) => setTimeout(resolve));
