// How soon a page can be used, which is reported and not judged: a busy machine would fail it.
import { test } from 'node:test';
import { openIn, visitor } from './browser.ts';
import { Authority } from './keycell.ts';

test('the time until a page is interactive', async (t) => {
  const server = await new Authority().serve();
  for (const [path, ready] of [['/console', 'form.sign-in'], ['/tools/create_api_key', '#playground form']] as const) {
    const times: number[] = [];
    for (let run = 0; run < 11; run++) {
      const context = await visitor();
      await context.addInitScript((selector) => {
        new MutationObserver((_, observer) => {
          if (!document.querySelector(selector)) return;
          observer.disconnect();
          (window as any).interactive = performance.now();
        }).observe(document, { childList: true, subtree: true });
      }, ready);
      const page = await openIn(context, server.origin + path);
      await page.locator(ready).waitFor();
      times.push(await page.evaluate(() => (window as any).interactive));
      await context.close();
    }
    times.sort((a, b) => a - b);
    const [median, slowest] = [times[5]!, times[10]!].map((time) => time.toFixed(0));
    t.diagnostic(`${path} is interactive ${median} ms after the navigation began (median of 11 loads; slowest ${slowest} ms)`);
  }
});
