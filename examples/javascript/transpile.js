// Makes JavaScript and types of the component. Copies the database schema, the forms' input schemas, and the modules of
// forms and answers that keycell's own pages have, beside them.
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { transpile } from '@bytecodealliance/jco-transpile';

const component = process.env.KEYCELL_COMPONENT ?? '../../dist/keycell.wasm';
const { files } = await transpile(component, { name: 'keycell', instantiation: 'sync', outDir: 'generated' });
for (const [path, content] of Object.entries(files)) {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}
await cp('../../host/keycell-sqlite/src/migrations', 'generated/migrations', { recursive: true });
for (const module of ['answer', 'dom', 'form', 'json']) {
  await cp(`../../host/keycell-server/pages/${module}.js`, `generated/pages/${module}.js`);
}
for (const tool of ['create_api_key', 'get_api_key']) {
  await cp(`../../tests/schemas/${tool}.input.json`, `generated/${tool}.input.json`);
}
