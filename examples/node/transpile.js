// Makes JavaScript of the component, and types of its world. Puts the schema of the database beside them.
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { transpile } from '@bytecodealliance/jco-transpile';

const component = process.env.KEYCELL_COMPONENT ?? '../../dist/keycell.wasm';
const { files } = await transpile(component, { name: 'keycell', instantiation: 'sync', outDir: 'generated' });
for (const [path, content] of Object.entries(files)) {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}
await cp('../../host/src/storage/sqlite/migrations', 'generated/migrations', { recursive: true });
