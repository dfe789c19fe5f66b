// Plays a visitor: node drive.mjs '{"scenario": …, "url": …, "browser": …, …}' runs one of the functions below in headless Chromium and
// prints what it saw as JSON. The browser reaches no address but the page's server.

import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";

const require = createRequire(new URL("../../web/package.json", import.meta.url));
const { chromium } = require("playwright-core");

const options = JSON.parse(process.argv[2]);
const DONE = ": \\d+ × \\d+ to \\d+ × \\d+ in ";

const scenarios = { upscale, refuse, cancel, lookAround, useKeyboard, useMouseAndFingers, dropAndPaste, start };

async function main() {
  const browser = await chromium.launch({
    executablePath: options.browser,
    args: ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", ...(options.arguments ?? [])],
  });
  try {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options.context });
    const seen = { elsewhere: [], problems: [], requested: [] };
    await context.route("**", (route) => {
      const url = route.request().url();
      const ours = url.startsWith(options.url) || url.startsWith("blob:");
      seen[ours ? "requested" : "elsewhere"].push(url.replace(options.url, ""));
      return ours ? route.continue() : route.abort();
    });
    if (options.relaxedSimd === false) await context.route("**/litert/index.js", withoutRelaxedSimd);
    await context.addInitScript(keepBlobs);
    const page = await context.newPage();
    page.setDefaultTimeout(90_000);
    page.on("pageerror", (error) => seen.problems.push(String(error)));
    page.on("console", (message) => message.type() === "error" && seen.problems.push(message.text()));
    await page.goto(options.url);
    const result = await scenarios[options.scenario](page);
    console.log(JSON.stringify({ ...seen, ...result }));
  } finally {
    await browser.close();
  }
}

/** Remember the last blob that the page made a URL for. */
function keepBlobs() {
  const original = URL.createObjectURL;
  URL.createObjectURL = (blob) => original.call(URL, (window.lastBlob = blob));
}

/** Chromium cannot do without it; so the runtime is given a module to test it with that no browser takes. */
async function withoutRelaxedSimd(route) {
  const response = await route.fetch();
  const body = (await response.text()).replace("RELAXED_SIMD_CHECK = new Uint8Array([", "$&255,");
  await route.fulfill({ response, body });
}

const statusOf = (page) => page.locator("#status").textContent();
const isReady = (page) => page.waitForFunction(() => !document.getElementById("file").disabled);
const studentsOf = (page) => page.locator("input[name=student]").evaluateAll((inputs) => inputs.map((input) => input.value));

const writeDataUrl = (path, url) => writeFileSync(path, Buffer.from(url.split(",")[1], "base64"));

/** Wait until the status line matches `pattern`, and return it. */
async function until(page, pattern) {
  await page.waitForFunction((source) => new RegExp(source).test(document.getElementById("status").textContent), pattern);
  return statusOf(page);
}

/** Whatever the page says at its start. */
async function start(page) {
  await page.waitForFunction(() => !document.getElementById("status").textContent.includes("make web"));
  return { status: await statusOf(page), usable: await page.isEnabled("#sample"), gpu: await page.isVisible("#gpu-choice") };
}

/** `students` (all without any) on each of `pictures` (the sample without any), each result written to `folder` as a PNG. */
async function upscale(page) {
  await isReady(page);
  const results = [];
  const layout = await windowOf(page);
  await page.evaluate(() => (document.getElementById("more").open = true));
  if (options.gpu) await page.check("#gpu");
  for (const [number, picture] of (options.pictures ?? [null]).entries()) {
    await (picture ? page.setInputFiles("#file", picture) : page.click("#sample"));
    for (const name of options.students ?? (await studentsOf(page))) {
      await page.check(`input[value="${name}"]`);
      const status = await until(page, `^${picture ? basename(picture) : "sample.png"}${DONE}`);
      await page.waitForFunction((value) => document.getElementById("right-tag").dataset.student === value, name);
      results.push({ picture, name, status, path: await saved(page, `${number} ${name}.png`) });
    }
  }
  return { results, empty: layout, shown: await windowOf(page), viewport: await layoutOf(page) };
}

/** The viewer's share of the window's height, and what of the controls lies outside of the window. */
function windowOf(page) {
  return page.evaluate(() => {
    scrollTo(0, 0);
    const frame = document.querySelector(".frame").getBoundingClientRect();
    const names = ["divider", "zoom-out", "zoom-in", "fit", "actual-size", "save", "sample", "right-tag", "empty"];
    const seen = names.map((id) => document.getElementById(id)).filter((element) => element.checkVisibility());
    const outside = seen.filter((element) => {
      const { top, left, bottom, right } = element.getBoundingClientRect();
      return top < 0 || left < 0 || bottom > innerHeight || right > innerWidth;
    });
    return { share: frame.height / innerHeight, seen: seen.map(({ id }) => id), outside: outside.map(({ id }) => id) };
  });
}

/** What Save as PNG writes, taken from where the browser gets it: its own downloads begin seconds later on a machine without a desktop. */
async function saved(page, name) {
  await page.click("#save");
  await until(page, "is saved");
  const url = await page.evaluate(() => {
    const reader = new FileReader();
    reader.readAsDataURL(window.lastBlob);
    return new Promise((resolve) => (reader.onload = () => resolve(reader.result)));
  });
  const path = join(options.folder, name);
  writeDataUrl(path, url);
  return path;
}

/** Whether the page is wider than its window, and the smallest side of anything to be tapped, in CSS pixels. */
function layoutOf(page) {
  return page.evaluate(() => {
    const tapped = [...document.querySelectorAll("button, .button, .student")].filter((element) => element.checkVisibility());
    const sides = tapped.map((element) => element.getBoundingClientRect()).map(({ width, height }) => Math.min(width, height));
    return { overflow: document.documentElement.scrollWidth - window.innerWidth, smallest: Math.min(...sides) };
  });
}

/** Each of `pictures`, none of which can be upscaled: what the page says, and that the sample still works afterwards. */
async function refuse(page) {
  await isReady(page);
  const said = [];
  for (const picture of options.pictures) {
    await page.setInputFiles("#file", picture);
    said.push(await until(page, "is not an image|is too large"));
  }
  await page.click("#sample");
  return { said, after: await until(page, DONE) };
}

/** Cancel in the middle of a large picture, with the longest time for which the page answered nothing meanwhile. */
async function cancel(page) {
  await isReady(page);
  await page.evaluate(() => {
    window.longest = 0;
    window.watch = () => {
      let last = performance.now();
      const timer = setInterval(() => {
        window.longest = Math.max(window.longest, performance.now() - last);
        last = performance.now();
      }, 10);
      return () => clearInterval(timer);
    };
  });
  await page.setInputFiles("#file", options.picture);
  await page.waitForFunction(() => document.getElementById("progress").value > 0);
  const stop = await page.evaluateHandle(() => window.watch());
  await page.waitForFunction(() => document.getElementById("progress").value > 0.02);
  await page.evaluate((end) => end(), stop);
  const clicked = Date.now();
  await page.click("#cancel");
  const status = await until(page, "^Cancelled");
  const answered = Date.now() - clicked;
  const buttons = { again: await page.isVisible("#again"), cancel: await page.isVisible("#cancel"), save: await page.isEnabled("#save") };
  await page.click("#sample"); // the worker has to be free again
  return { status, answered, buttons, longest: await page.evaluate(() => window.longest), after: await until(page, DONE) };
}

/** The view at 100 %, divider at either end: the pixels on the screen, and where they lie in the enlarged picture. */
async function lookAround(page) {
  await isReady(page);
  await page.click("#sample");
  await until(page, DONE);
  await page.click("#actual-size");
  const views = {};
  for (const [side, share] of [["student", 0], ["bicubic", 100]]) {
    await page.fill("#divider", String(share));
    await page.waitForTimeout(2000); // bicubic parts come over several frames
    views[side] = join(options.folder, `${side}.png`);
    writeDataUrl(views[side], await page.evaluate(() => document.getElementById("view").toDataURL("image/png")));
  }
  return { views, zoom: await page.textContent("#zoom"), student: await page.getAttribute("#right-tag", "data-student") };
}

/** Everything without a mouse: the sample, another student, divider, zoom, pan. */
async function useKeyboard(page) {
  await isReady(page);
  await page.focus("#sample");
  await page.keyboard.press("Enter");
  await until(page, DONE);
  const reached = await tabStops(page);
  const first = await page.locator("input[name=student]:checked").inputValue();
  await page.focus("input[name=student]:checked");
  await page.keyboard.press("ArrowDown");
  const second = await page.locator("input[name=student]:checked").inputValue();
  await page.waitForFunction((name) => document.getElementById("right-tag").dataset.student === name, second);
  await until(page, DONE);
  const zooms = [];
  await page.focus("#view");
  for (const key of ["1", "+", "-", "ArrowLeft", "0"]) {
    await page.keyboard.press(key);
    zooms.push(await page.textContent("#zoom"));
  }
  await page.focus("#divider");
  await page.keyboard.press("ArrowRight");
  return { reached, students: [first, second], zooms, divider: await page.inputValue("#divider") };
}

/** The divider dragged to a quarter by mouse, the wheel turned without and with the focus, then two fingers moved apart to twice their distance. */
async function useMouseAndFingers(page) {
  await isReady(page);
  await page.click("#sample");
  await until(page, DONE);
  const { x, y, width, height } = await page.locator("#view").boundingBox();
  const zooms = [await page.textContent("#zoom")];
  await page.mouse.move(x + width / 2, y + height / 2);
  await page.mouse.wheel(0, -100);
  zooms.push(await page.textContent("#zoom"));
  await page.mouse.down();
  await page.mouse.move(x + width / 4, y + height / 2, { steps: 5 });
  await page.mouse.up();
  await page.mouse.wheel(0, -100); // the click has given the view the focus
  await page.waitForFunction((before) => document.getElementById("zoom").textContent !== before, zooms[1]);
  await page.click("#actual-size");
  const session = await page.context().newCDPSession(page);
  const touch = (type, apart) => {
    const touchPoints = apart ? [-1, 1].map((side, id) => ({ x: x + width / 2 + side * apart, y: y + height / 3, id })) : [];
    return session.send("Input.dispatchTouchEvent", { type, touchPoints });
  };
  await touch("touchStart", 60);
  for (const apart of [80, 100, 120]) await touch("touchMove", apart);
  await touch("touchEnd");
  zooms.push(await page.textContent("#zoom"));
  return { divider: Number(await page.inputValue("#divider")), zooms };
}

/** The ids (or names) of what Tab reaches from the view on. */
async function tabStops(page) {
  await page.focus("#view");
  const reached = ["view"];
  for (let presses = 0; presses < 20; presses++) {
    await page.keyboard.press("Tab");
    const name = await page.evaluate(() => document.activeElement.id || document.activeElement.name);
    if (!name || reached.includes(name)) break;
    reached.push(name);
  }
  return reached;
}

/** A picture dropped onto the page, then one pasted, and that saved. */
async function dropAndPaste(page) {
  await isReady(page);
  const said = [];
  for (const type of ["drop", "paste"]) {
    await page.evaluate(async (kind) => {
      const blob = await (await fetch("sample.png")).blob();
      const transfer = new DataTransfer();
      transfer.items.add(new File([blob], `${kind}.png`, { type: "image/png" }));
      const init = { dataTransfer: transfer, clipboardData: transfer, bubbles: true };
      document.body.dispatchEvent(kind === "drop" ? new DragEvent("drop", init) : new ClipboardEvent("paste", init));
    }, type);
    said.push(await until(page, `^${type}.png${DONE}`));
  }
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#save")]);
  return { said, download: download.suggestedFilename() };
}

await main();
