import { createRequire } from 'node:module';

/** The pages' own light colours. */
export const INK = '#191b1a';
export const INK_2 = '#4c504e';
export const INK_3 = '#6c716e';
export const RULE = '#dcdad2';
export const RULE_STRONG = '#b9b7ae';
export const STRIPE = '#f8f7f3';
export const ACCENT = '#0b6e5d';
export const ACCENT_SOFT = '#d5e8e1';
export const SERIES = ['#0b7a68', '#c4722a', '#4a56bd', '#a82f62', '#5d6b78'] as const;

export const MARGIN = 44;

const resolve = (file: string): string =>
  createRequire(import.meta.url).resolve(`@expo-google-fonts/noto-sans/${file}.ttf`);

/** Embedded, for the fonts that every reader has know Western European letters only. */
export const FONTS = {
  plain: resolve('400Regular/NotoSans_400Regular'),
  strong: resolve('600SemiBold/NotoSans_600SemiBold'),
} as const;

const number = new Intl.NumberFormat('en', { maximumFractionDigits: 2 });
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 2 });

export function formatNumber(value: number): string {
  return Math.abs(value) >= 1e6 ? compact.format(value) : number.format(value);
}

export function formatCount(rows: number): string {
  return `${number.format(rows)} ${rows === 1 ? 'row' : 'rows'}`;
}

/** `placed_at` → `Placed at`, as on the pages. */
export function labelOf(column: string): string {
  const words = column.replaceAll('_', ' ').trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
