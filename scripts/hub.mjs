/**
 * `npm start` and `npm test`, from nothing: checks Node, installs, builds, runs. Nothing before the install may import a
 * package, and this file must still parse on a Node that is too old to run the rest.
 */
const [major, minor] = process.versions.node.split('.').map(Number);
const command = process.argv[2];

if (major < 20 || (major === 20 && minor < 11)) {
  console.error(`Pollcast needs Node 20.11 or newer; this is ${process.version}. Install one from https://nodejs.org.`);
  process.exit(1);
}
if (command !== 'start' && command !== 'test') {
  console.error('Expected `node scripts/hub.mjs start` or `node scripts/hub.mjs test [jest arguments]`.');
  process.exit(1);
}

try {
  const { run } = await import(`./${command}.mjs`);
  process.exitCode = await run(process.argv.slice(3));
} catch (error) {
  const { sentence } = await import('./trouble.mjs');
  console.error(`\n${sentence(error)}`);
  process.exitCode = 1;
}
