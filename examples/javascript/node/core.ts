import { readFileSync } from 'node:fs';

const modules = new Map<string, WebAssembly.Module>();

/** Returns a core module of the component, compiled once for each process. */
export function coreModule(file: string): WebAssembly.Module {
  const compile = () => new WebAssembly.Module(readFileSync(new URL(import.meta.resolve(`#generated/${file}`))));
  return modules.get(file) ?? modules.set(file, compile()).get(file)!;
}
