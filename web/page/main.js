// The page: which picture and which student are chosen, what runs, what is shown.

import { Engine, hasGpu, hasSimd } from "./engine.js";
import { listenForGestures } from "./gestures.js";
import { BicubicLayer, StudentLayer } from "./layers.js";
import { readPicture } from "./picture.js";
import { listenForPictures } from "./sources.js";
import { formatTime, loadStudents, StudentList, titleOf } from "./students.js";
import { View } from "./view.js";

const $ = (id) => document.getElementById(id);
const percent = (share) => `${Math.round(100 * share)} %`;

const engine = new Engine();
const view = new View($("view"), { onZoom: (zoom) => ($("zoom").textContent = percent(zoom)) });
let list; // StudentList
let student; // the chosen entry of students.json
let picture; // see readPicture
let layers = { left: null, right: null };
let opened = 0; // pictures so far
let running; // AbortController while the student runs

start().catch((error) => say(error.message, { bad: true }));

async function start() {
  if (!hasSimd()) throw new Error("This browser has no WebAssembly SIMD, which the network needs. Any browser of 2023 or later has it.");
  const students = await loadStudents();
  list = new StudentList($("students"), $("more"), students, choose);
  [student] = students;
  list.choose(student);
  listenForPictures({
    page: document.body,
    fileInput: $("file"),
    sampleButton: $("sample"),
    sampleUrl: "sample.png",
    onPicture: open,
  });
  listenForControls();
  for (const control of [$("file"), $("sample")]) control.disabled = false;
  say("Choose an image, drop one anywhere on this page, paste one, or take the sample.");
  $("gpu-choice").hidden = !(await hasGpu());
}

function listenForControls() {
  listenForGestures($("view"), view, moveDivider);
  $("divider").addEventListener("input", ({ target }) => moveDivider(target.value / 100));
  $("zoom-in").addEventListener("click", () => view.zoomBy(1.5));
  $("zoom-out").addEventListener("click", () => view.zoomBy(1 / 1.5));
  $("fit").addEventListener("click", () => view.fit());
  $("actual-size").addEventListener("click", () => view.actualSize());
  $("cancel").addEventListener("click", () => running?.abort());
  $("again").addEventListener("click", () => upscale());
  $("save").addEventListener("click", () => save());
  $("gpu").addEventListener("change", () => {
    list.clearTimes(); // they are those of the other
    if (picture) upscale();
  });
}

function moveDivider(share) {
  view.divider = share;
  $("divider").value = 100 * share;
}

function choose(chosen) {
  student = chosen;
  if (picture) upscale();
}

/** source: a Blob or a promise of one. What was open before stays where the new one cannot be read. */
async function open(source) {
  running?.abort();
  const turn = ++opened;
  say("Reading the image …");
  let read;
  try {
    read = await readPicture(await source, student);
  } catch (error) {
    return say(error.message, { bad: true });
  }
  if (turn !== opened) return; // another picture came meanwhile
  picture = read;
  list.clearTimes();
  await upscale();
}

async function upscale() {
  running?.abort();
  const job = (running = new AbortController());
  const chosen = student;
  show(chosen);
  say(`Loading ${titleOf(chosen)} …`);
  let done = 0;
  try {
    const { milliseconds, gpu } = await engine.upscale(picture, chosen, {
      gpu: $("gpu").checked,
      signal: job.signal,
      onTile: (tile, share) => {
        if (!done) say(`Enlarging ${picture.name} with ${titleOf(chosen)} …`);
        layers.right.add(tile);
        view.redraw();
        $("progress").value = done = share;
      },
    });
    list.showTime(chosen, milliseconds);
    finish(milliseconds, gpu);
  } catch (error) {
    if (error.name !== "AbortError") say(`${titleOf(chosen)} failed: ${error.message}`, { bad: true });
    else if (running === job) say(`Cancelled at ${percent(done)}.`);
  } finally {
    if (running === job) settle(done === 1);
  }
}

/** Both layers for a new run, and the controls that belong to one. */
function show(chosen) {
  const { scale } = chosen;
  const sameBicubic = layers.left?.picture === picture && layers.left.scale === scale;
  layers.right?.close();
  layers = { left: sameBicubic ? layers.left : new BicubicLayer(picture, scale), right: new StudentLayer(picture, scale) };
  view.show(layers, layers.right);
  $("empty").hidden = true;
  for (const id of ["tags", "tools", "progress", "cancel"]) $(id).hidden = false;
  $("again").hidden = true;
  $("save").disabled = true;
  $("progress").value = 0;
  $("right-tag").textContent = chosen.choice ? `${chosen.choice} (${chosen.name})` : chosen.name;
  $("right-tag").dataset.student = chosen.name;
}

function finish(milliseconds, gpu) {
  const { width, height } = layers.right;
  const note = picture.filled ? " Transparent parts were filled with white." : "";
  const where = gpu ? " on the graphics card" : $("gpu").checked ? " on the processor: the graphics card cannot run this network" : "";
  const sizes = `${picture.width} × ${picture.height} to ${width} × ${height}`;
  say(`${picture.name}: ${sizes} in ${formatTime(milliseconds)}${where}.${note}`);
}

function settle(complete) {
  running = undefined;
  $("progress").hidden = $("cancel").hidden = true;
  $("again").hidden = complete;
  $("save").disabled = !complete;
}

async function save() {
  const { right } = layers;
  say("Writing the PNG …");
  const blob = await right.toPng().catch(() => null);
  if (!blob) return say("This browser has no room to write a PNG of that size.", { bad: true });
  const url = URL.createObjectURL(blob);
  const name = `${right.picture.name.replace(/\.[^.]*$/, "")}_x${right.scale}.png`;
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser may still be reading it
  say(`${name} is saved.`);
}

function say(text, { bad = false } = {}) {
  $("status").textContent = text;
  $("status").classList.toggle("bad", bad);
}
