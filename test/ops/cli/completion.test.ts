import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { cli } from './run.js';

const run = promisify(execFile);

describe('bash', () => {
  let script: string;
  beforeAll(async () => {
    script = (await cli(['completion', 'bash'])).out;
  });

  /** What a Tab at the end of the line offers. */
  async function offered(line: string): Promise<string[]> {
    const words = line.split(' ');
    const program = `${script}
      COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}
      _pollcast; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout } = await run('bash', ['--norc', '-c', program], { cwd: '/' });
    return stdout.split('\n').filter((word) => word !== '');
  }

  test('offers every command, and those that begin as the line does', async () => {
    expect(await offered('pollcast ')).toEqual(
      expect.arrayContaining([
        'init',
        'start',
        'topics',
        'nodes',
        'ps',
        'zombies',
        'completion',
        '--help',
        '--version',
      ]),
    );
    expect(await offered('pollcast un')).toEqual(['uncordon']);
  });

  test('offers what stands below a command, with its options', async () => {
    expect(await offered('pollcast topics ')).toEqual(['check', '--json', '--help']);
    expect(await offered('pollcast topics check --')).toEqual(['--json', '--help']);
    expect(await offered('pollcast zombies --c')).toEqual(['--clean']);
    expect(await offered('pollcast completion ')).toEqual(['bash', 'zsh', 'fish', '--help']);
  });

  test('offers folders where one is expected, and nothing where a value is', async () => {
    expect(await offered('pollcast init us')).toContain('usr');
    expect(await offered('pollcast ps --url ')).toEqual([]);
  });

  test('is registered for the command, and reads without complaint', async () => {
    const { stdout, stderr } = await run('bash', ['--norc', '-euc', `${script}\ncomplete -p pollcast`]);
    expect(stdout.trim()).toBe('complete -F _pollcast pollcast');
    expect(stderr).toBe('');
  });
});

test('zsh and fish have every command and option too', async () => {
  const [, list = ''] = (await cli(['--help'])).out.split('\nCommands:\n');
  const commands = [...(list.split('\n\n')[0] ?? '').matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name as string);
  expect(commands.length).toBeGreaterThan(10);
  for (const shell of ['zsh', 'fish']) {
    const { out } = await cli(['completion', shell]);
    for (const word of [...commands.filter((name) => name !== 'help'), 'check', '--json', '--clean', '--to'])
      expect(out).toMatch(new RegExp(`'${word}[':]`));
  }
});

test('a shell that is not known is told which are', async () => {
  expect(await cli(['completion', 'tcsh'])).toMatchObject({
    code: 2,
    error: expect.stringMatching(/Allowed choices are bash, zsh, fish[^]*pollcast completion --help/),
  });
});
