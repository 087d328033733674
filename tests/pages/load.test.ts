// The time until a page can be used. It is only reported, because a busy machine would exceed a limit.
import { test } from 'node:test';
import { openIn, visitor } from './browser.ts';
import { Authority } from './keycell.ts';

test('the time until a page is interactive', async (t) => {
  const server = await new Authority().serve();
  const middle = (times: number[]) => times.sort((a, b) => a - b)[times.length >> 1]!.toFixed(0);
  for (const [path, ready] of [['/console', 'form.sign-in'], ['/tools/create_api_key', '#playground form']] as const) {
    const [first, again]: [number[], number[]] = [[], []];
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
      for (const times of [first, again]) {
        await page.locator(ready).waitFor();
        times.push(await page.evaluate(() => (window as any).interactive));
        await page.reload();
      }
      await context.close();
    }
    t.diagnostic(`${path} is interactive after ${middle(first)} ms in a new browser profile, ${middle(again)} ms when it is loaded again (medians of 11)`);
  }
});
