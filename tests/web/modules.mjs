// Runs the page's own modules outside a browser: node modules.mjs '{"planAxis": [[arguments], …], …}' prints the results as JSON.

import { readFileSync } from "node:fs";
import { enlargePart } from "../../web/page/bicubic.js";
import { fromTensor, toTensor } from "../../web/page/pixels.js";
import { planAxis } from "../../web/page/tiling.js";

const run = {
  planAxis,
  enlargePart: (picture, scale, part) => Array.from(enlargePart(picture, scale, part)),
  toTensor: (picture, part, type) => Array.from(toTensor(picture, part, type)),
  fromTensor: (values, stride, part, type) => Array.from(fromTensor(new Float32Array(values), stride, part, type)),
};

const wanted = JSON.parse(readFileSync(0, "utf8"));
const results = Object.entries(wanted).map(([name, calls]) => [name, calls.map((values) => run[name](...values))]);
console.log(JSON.stringify(Object.fromEntries(results)));
