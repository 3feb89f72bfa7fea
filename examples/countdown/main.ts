/** A hub with the countdown in it: `npm run countdown`. */
import 'reflect-metadata';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readConfig } from '../../src/config.js';
import { describe } from '../../src/errors.js';
import { runNode } from '../../src/main.js';

const folder = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

// A database and files of its own, beside those of the demo.
const home = folder('../../var/countdown');
mkdirSync(home, { recursive: true });
process.chdir(home);
try {
  const { CountdownModule } = await import('./countdown.js');
  const config = readConfig({ TOPICS_DIR: folder('./topics'), DEMO: 'off', ...process.env });
  await runNode(config, [CountdownModule], folder('../../dist/web'));
} catch (error) {
  process.stderr.write(`${describe(error)}\n`);
  process.exit(1);
}
