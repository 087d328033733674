import core from '#generated/keycell.core.wasm';
import core2 from '#generated/keycell.core2.wasm';

const FILES: Record<string, BufferSource> = { core, core2 };

/** Returns a core module of the component. The bundle holds them. */
export const coreBytes = (file: string): BufferSource => FILES[file.split('.')[1]!]!;
