// The worker that upscales. A classic one, because the runtime loads its WebAssembly by importScripts(), which module workers do
// not have; everything else comes in by import(), which classic workers do have.

const upscaler = import("./upscaler.js");

self.onmessage = async ({ data }) => (await upscaler).receive(data);
