import core from '#generated/keycell.core.wasm';
import core2 from '#generated/keycell.core2.wasm';

const FILES = { 'keycell.core.wasm': core, 'keycell.core2.wasm': core2 };
const modules = new Map(Object.entries(FILES).map(([file, bytes]) => [file, new WebAssembly.Module(bytes)]));

/** Returns a core module of the component. The bundle holds them, compiled once for each page. */
export const coreModule = (file: string): WebAssembly.Module => modules.get(file)!;
