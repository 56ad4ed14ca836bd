// `node --import conformance.mjs .../conformance/dist/index.js ...`: the conformance suite on Node 20.
//
// The suite imports `globSync` from `fs`, which came with Node 22, for commands that have nothing to do with
// running scenarios. Where it is missing it is a function that says so.
import fs from "node:fs";
import { register } from "node:module";

const shim = `
  export * from "node:fs";
  export { default } from "node:fs";
  export const globSync = () => { throw new Error("fs.globSync needs Node 22"); };`;
const hooks = `
  export const resolve = (specifier, context, next) =>
    specifier === "fs" && context.parentURL?.includes("/conformance/dist/")
      ? { url: "shim:fs", shortCircuit: true }
      : next(specifier, context);
  export const load = (url, context, next) =>
    url === "shim:fs"
      ? { format: "module", shortCircuit: true, source: ${JSON.stringify(shim)} }
      : next(url, context);`;
if (!("globSync" in fs)) register(`data:text/javascript,${encodeURIComponent(hooks)}`);
