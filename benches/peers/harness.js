// What the programs in JavaScript share: `fill DIRECTORY COUNT` and `measure DIRECTORY`. harness.py is the same in
// Python.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const WARM_UP = 100;
const CALLS = 1000;

/**
 * Runs the command of this process. `connect` opens the database with this value of SQLite's `synchronous`, and returns
 * functions that create a key and that verify one.
 */
export async function run(connect) {
  const [command, directory, count] = process.argv.slice(2);
  const isFill = command === 'fill';
  const { create, verify } = await connect(join(directory, 'keys.db'), isFill ? 'OFF' : 'FULL');
  const file = join(directory, 'keys.txt');
  if (isFill) {
    const keys = [];
    while (keys.length < Number(count)) keys.push(await create());
    writeFileSync(file, keys.join('\n'));
    return;
  }
  const keys = readFileSync(file, 'utf8').split('\n');
  const random = () => keys[Math.floor(Math.random() * keys.length)];
  const mustVerify = async (key) => { if (!await verify(key)) throw new Error('a stored key is not valid'); };
  const repeated = random();
  console.log(JSON.stringify({
    create: await median(create),
    random: await median(() => mustVerify(random())),
    repeated: await median(() => mustVerify(repeated)),
  }));
}

/** Returns the median time of a call in microseconds. */
async function median(call) {
  for (let n = 0; n < WARM_UP; n += 1) await call();
  const times = [];
  while (times.length < CALLS) {
    const began = performance.now();
    await call();
    times.push(1000 * (performance.now() - began));
  }
  return times.sort((a, b) => a - b)[CALLS / 2];
}
