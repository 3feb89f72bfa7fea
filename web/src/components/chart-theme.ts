import type { Theme } from '../hooks/theme.js';

/** A canvas knows no style sheet: the tokens that a chart is drawn with, read from it. */
/** `lines` and `fills` are by hue, the first of which is 1. */
export interface ChartColours {
  readonly lines: readonly string[];
  readonly fills: readonly string[];
  readonly grid: string;
  readonly text: string;
  readonly font: string;
}

const HUES = [1, 2, 3, 4, 5, 6];

/** @param theme only says when to read anew: the tokens change with it */
export function chartColours(_theme: Theme): ChartColours {
  const style = getComputedStyle(document.documentElement);
  const token = (name: string): string => style.getPropertyValue(name).trim();
  return {
    lines: HUES.map((n) => token(`--series-${n}`)),
    fills: HUES.map((n) => token(`--series-${n}-fill`)),
    grid: token('--grid'),
    text: token('--ink-3'),
    font: `11px ${token('--sans')}`,
  };
}
