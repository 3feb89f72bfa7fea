import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';

const css = readFileSync(new URL('../../web/src/styles/tokens.css', import.meta.url), 'utf8');
/** Light, dark by the system, dark by choice: what each says of its colours. */
const themes = [...css.matchAll(/--paper: [^}]+/g)].map(
  ([block]) =>
    new Map([...block.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(([, name = '', hex = '']) => [name, hex])),
);

/** Relative luminance and contrast as WCAG 2.2 defines them. */
function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const part = parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

test('what stands in a row can be read while the row lights up, in every theme', () => {
  expect(themes).toHaveLength(3);
  const faint = themes.flatMap((colours) =>
    ['ink', 'ink-2', 'good', 'warn', 'bad'].map((name) => ({
      name,
      contrast: contrast(colours.get(name) ?? '', colours.get('glow') ?? ''),
    })),
  );
  expect(faint.filter((one) => !(one.contrast >= 4.5))).toEqual([]);
});
