import { expect, test } from '@jest/globals';
import { PollcastError } from '../../../src/errors.js';
import { systemClock } from '../../../src/kernel/clock.js';
import { Events } from '../../../src/kernel/events.js';
import { newNodeId } from '../../../src/kernel/identity.js';
import { silent } from '../../../src/kernel/log.js';
import { EventLog } from '../../../src/ops/console/event-log.js';

function followed() {
  const events = new Events(silent);
  const log = new EventLog(newNodeId('a'), systemClock);
  log.follow(events);
  return { events, log };
}

test('events are told in the words of people, and errors by their code only', () => {
  const { events, log } = followed();
  events.emit('process:started', { name: 'poller:x', kind: 'poller', fence: 7, how: 'takeover' });
  const error = new PollcastError('QUERY_FAILED', 'select secret');
  events.emit('process:crashed', { name: 'poller:x', kind: 'poller', error, restarts: 1, failed: false, delayMs: 10 });
  events.emit('node:down', { node: newNodeId('b'), evidence: 'no pulse' });
  events.emit('link', { up: false });
  expect(log.last.map(({ node, event, about, detail }) => [node, event, about, detail])).toEqual([
    ['a', 'process:started', 'poller:x', 'fence 7, how takeover'],
    ['a', 'process:crashed', 'poller:x', 'error QUERY_FAILED, restarts 1, failed false, delayMs 10'],
    ['a', 'node:down', 'b', 'evidence no pulse'],
    ['a', 'link', 'a', 'up false'],
  ]);
  expect(new Set(log.last.map(({ id }) => id)).size).toBe(4);
});

test('only the last are kept', () => {
  const { events, log } = followed();
  for (let i = 0; i < 250; i++) events.emit('link', { up: i % 2 === 0 });
  expect(log.last).toHaveLength(200);
  expect(log.last.at(-1)?.id).toMatch(/#250$/);
});
