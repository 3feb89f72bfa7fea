import { expect, test } from '@jest/globals';
import { Addresses, targetOf } from '../../src/recordings/addresses.js';

const addresses = new Addresses('http://127.0.0.1:3000', ['https://status.example.com']);

test.each([
  ['http://127.0.0.1:3000/?region=EU', true],
  ['ws://127.0.0.1:3000/socket.io/?EIO=4', true],
  ['http://127.0.0.1:3000/api/topics/sales.by_region', true],
  ['https://status.example.com/board', true],
  ['wss://status.example.com/live', true],
  ['data:text/plain,x', true],
  ['http://127.0.0.1:3000/api/processes', false],
  ['http://127.0.0.1:3000/API/processes', false],
  ['http://127.0.0.1:3000//api/nodes', false],
  ['http://127.0.0.1:3000/%61pi/nodes', false],
  ['http://127.0.0.1:3000/api/topics/../processes', false],
  ['http://127.0.0.1:6379/', false],
  ['http://localhost:3000/', false],
  ['http://status.example.com/', false],
  ['https://status.example.com.evil.test/', false],
  ['file:///etc/passwd', false],
  ['chrome://settings', false],
  ['not an address', false],
])('%s: %s', (address, allowed) => {
  expect(addresses.allows(address)).toBe(allowed);
});

test('an address of the hub as its people know it is a path of the hub', () => {
  expect(targetOf('https://hub.example.com/?a=1', 'hub.example.com')).toEqual({ hub: '/?a=1' });
  expect(targetOf('/watch?topic=x', undefined)).toEqual({ hub: '/watch?topic=x' });
  expect(targetOf('https://elsewhere.test/', 'hub.example.com')).toEqual({ url: 'https://elsewhere.test/' });
  for (const bad of [
    '//elsewhere.test/',
    'javascript:alert(1)',
    'https://user:secret@hub.example.com/',
    '/\\elsewhere.test',
  ])
    expect(() => targetOf(bad, 'hub.example.com')).toThrow(/expected a path/);
});
