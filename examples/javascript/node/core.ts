import { readFileSync } from 'node:fs';

/** Reads a core module of the component. */
export const coreBytes = (file: string): BufferSource =>
  readFileSync(new URL(import.meta.resolve(`#generated/${file}`)));
