// Makes JavaScript of the component, and types of its world. Puts the input schemas of the forms beside them.
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { transpile } from '@bytecodealliance/jco-transpile';

const component = process.env.KEYCELL_COMPONENT ?? '../../dist/keycell.wasm';
const { files } = await transpile(component, { name: 'keycell', instantiation: 'sync', outDir: 'generated' });
for (const [path, content] of Object.entries(files)) {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}
for (const tool of ['create_api_key', 'get_api_key']) {
  await copyFile(`../../tests/schemas/${tool}.input.json`, `generated/${tool}.input.json`);
}
