import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Netstrings } from '../../../src/polling/frames/netstrings.js';

const netstring = (text: string): string => `${Buffer.byteLength(text)}:${text}`;
const of = (text: string): Netstrings => new Netstrings(Buffer.from(text));

describe('netstrings', () => {
  it('are read as they were written, whatever is in them', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (texts) => {
        const parts = of(texts.map(netstring).join(''));
        for (const text of texts) expect(parts.text()).toBe(text);
        expect(parts.ended).toBe(true);
      }),
    );
  });

  it('give numbers as JavaScript reads them', () => {
    const number = fc.oneof(fc.maxSafeNat(), fc.double({ noNaN: true }), fc.constant(1_795_713_007_883_496));
    fc.assert(
      fc.property(number, (value) => expect(of(netstring(String(value))).number()).toBe(Number(String(value)))),
    );
    expect(of(netstring('90071992547409930')).number()).toBe(Number('90071992547409930'));
    expect(of(netstring('twelve')).number()).toBeNaN();
  });

  it.each(['', '3', '4:abc', 'x:abc', ':abc', '-1:abc'])('are refused when they are not whole: %j', (text) => {
    expect(() => of(text).text()).toThrow(/netstring/);
  });
});
