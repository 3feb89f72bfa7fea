import { chromium, type Browser } from 'playwright-core';
import { provide } from '../../scripts/services.mjs';

/** A real, headless Chromium. `close` it; it ends with the test process in any case. */
export async function launchBrowser(): Promise<Browser> {
  const { bin, env } = await provide('chromium');
  return chromium.launch({
    executablePath: bin,
    env: { ...inherited(), ...env },
    // Containers seldom allow the sandbox, and give /dev/shm 64 MB. The pages are our own.
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });
}

function inherited(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
}
