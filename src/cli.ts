#!/usr/bin/env node
import { describe } from './errors.js';
import { loadEnvFile } from './ops/cli/env-file.js';
import { runCli } from './ops/cli/program.js';

const interrupted = new AbortController();
const { stdout, stderr } = process;

// Before anything reads the environment: the packages for traces read their variables themselves.
try {
  loadEnvFile('.env', process.env);
} catch (error) {
  stderr.write(`${describe(error)}\n`);
  process.exit(2);
}

// `start` handles signals by itself, and stays: the exit code is only noted.
process.exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  out: (text) => void stdout.write(text),
  error: (text) => void stderr.write(text),
  colour: stdout.isTTY && stdout.hasColors(), // which minds NO_COLOR and what the terminal can
  live: stderr.isTTY && process.env['TERM'] !== 'dumb',
  columns: stdout.isTTY ? stdout.columns : undefined,
  signal: interrupted.signal,
  interruptible: () => void process.once('SIGINT', () => interrupted.abort()),
});

// What a node that could not start has opened, it may not have closed; its children end with this process.
if (process.exitCode !== 0 && process.argv[2] === 'start') process.exit();
