import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isPlainText, plainText } from '../../src/rooms/text.js';

const NUL = String.fromCharCode(0);
const HIGH = String.fromCharCode(0xd83d);
const LOW = String.fromCharCode(0xde00);

it('tells texts that no database keeps from those that only look so', () => {
  for (const text of [NUL, `a${NUL}`, HIGH, LOW, `${LOW}${HIGH}`, `\\${NUL}`]) {
    expect(isPlainText(JSON.stringify({ text }))).toBe(false);
    expect(isPlainText(JSON.stringify({ [text]: 1 }))).toBe(false);
  }
  for (const text of ['', 'a', HIGH + LOW, '\\u0000', '\\\\u0000', '\\ud83d', '\n\t"', '\u2028', '\u0001']) {
    expect(isPlainText(JSON.stringify({ text }))).toBe(true);
    expect(plainText(JSON.stringify({ text }))).toBe(JSON.stringify({ text }));
  }
});

it('replaces just those, whatever stands beside them', () => {
  const piece = fc.constantFrom(NUL, HIGH, LOW, HIGH + LOW, '\\', 'u0000', 'a', '"');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const text = pieces.join('');
      const wanted = Buffer.from(text).toString().replaceAll(NUL, '\ufffd');
      expect(JSON.parse(plainText(JSON.stringify(text)))).toBe(wanted);
      expect(isPlainText(JSON.stringify(text))).toBe(wanted === text);
    }),
  );
});
