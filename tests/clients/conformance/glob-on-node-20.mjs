// The suite imports `globSync`, which Node.js has from 22 on, for a command that is not used here.

import { register } from "node:module";

const withGlob = `export * from "node:fs"; export { default } from "node:fs"; export const globSync = undefined;`;
const hooks = `export function resolve(name, context, next) {
  return name === "fs" && context.parentURL.includes("/@modelcontextprotocol/conformance/")
    ? { url: ${JSON.stringify(dataUrl(withGlob))}, shortCircuit: true }
    : next(name, context);
}`;

if (!("globSync" in (await import("node:fs")))) register(dataUrl(hooks));

function dataUrl(source) {
  return `data:text/javascript,${encodeURIComponent(source)}`;
}
