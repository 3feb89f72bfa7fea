import { expect, test } from '@jest/globals';

import { Slots } from '../../../src/polling/sources/slots.js';

const never = new AbortController().signal;

test('slots let in as many as there are, then one for one, in order', async () => {
  const slots = new Slots(2);
  const order: number[] = [];
  const [first, second] = [await slots.enter(never), await slots.enter(never)];
  const third = slots.enter(never).then((leave) => (order.push(3), leave));
  const fourth = slots.enter(never).then((leave) => (order.push(4), leave));
  expect(order).toEqual([]);
  second?.();
  const leaveThird = await third;
  expect(order).toEqual([3]);
  first?.();
  (await fourth)?.();
  leaveThird?.();
  expect(order).toEqual([3, 4]);
  expect(await slots.enter(never)).toBeDefined();
});

test('who gives up waiting keeps no slot from the others', async () => {
  const slots = new Slots(1);
  const leave = await slots.enter(never);
  const impatient = new AbortController();
  const waiting = slots.enter(impatient.signal);
  impatient.abort();
  expect(await waiting).toBeUndefined();
  expect(await slots.enter(impatient.signal)).toBeUndefined();
  leave?.();
  expect(await slots.enter(never)).toBeDefined();
});
