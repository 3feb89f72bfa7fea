import { expect, test } from '@jest/globals';
import { readPacket } from '../../src/recordings/packets.js';

const answer = (body: object) => `4317[${JSON.stringify({ ok: true, ...body })}]`;

test('events of the hub are read, and answers with the first rows of a channel and who is in a room', () => {
  const frame = { channel: 'a', epoch: 'e', seq: 1, polledAt: 5, rows: [{ n: 1 }] };
  expect(readPacket(`42${JSON.stringify(['frame', frame])}`)).toEqual({ type: 'frame', payload: frame });
  expect(readPacket(answer(frame))).toEqual({ type: 'frame', payload: frame });
  const room = { room: 'r', version: 3, state: {}, status: null, members: [{ user: 'u', name: 'Ada', since: 1 }] };
  expect(readPacket(answer(room))).toEqual({ type: 'room', payload: room });
  expect(readPacket(`42${JSON.stringify(['room', { room: 'r', status: 'x' }])}`)).toMatchObject({ type: 'room' });
});

test.each([
  ['2'],
  ['0{"sid":"x"}'],
  ['40{"sid":"x"}'],
  ['42["export",{"id":"x"}]'],
  ['42["frame"]'],
  ['42["frame",[]]'],
  ['42[not json'],
  ['430[]'],
  ['430[{"ok":true}]'],
  ['430[{"ok":true,"channel":"a","resumed":true}]'],
  ['430[{"ok":false,"error":{"code":"NOT_FOUND","message":"x"}}]'],
])('%s is none of them', (text) => {
  expect(readPacket(text)).toBeNull();
});
