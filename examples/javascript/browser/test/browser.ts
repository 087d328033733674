import { after } from 'node:test';
import { chromium, type BrowserContext } from 'playwright-core';
import { serve } from './server.js';

/** Starts a Chromium, and serves the example to it, until the tests of this file are done. */
export async function browserForTests(): Promise<{ newContext(): Promise<BrowserContext>; origin: string }> {
  const server = await serve();
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium' });
  after(async () => {
    await browser.close();
    server.close();
  });
  return { newContext: () => browser.newContext(), origin: server.origin };
}
