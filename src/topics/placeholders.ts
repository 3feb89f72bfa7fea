import { scanSync } from 'libpg-query';
import { Offsets } from './position.js';

/** A `:name` in SQL text; `start` is the colon's offset, `end` the offset behind the name. */
export interface Placeholder {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

export interface ScannedSql {
  readonly placeholders: readonly Placeholder[];
  /** Offsets of `$1` and the like, which a topic file may not contain. */
  readonly numbered: readonly number[];
  /** Offset of psql's `:'name'` or `:"name"`, when the text looks like it. */
  readonly quoted: readonly number[];
  /** Offsets of FOR in FOR UPDATE, FOR SHARE and the like. */
  readonly locks: readonly number[];
  /** Offset behind the last token that is neither a comment nor a semicolon. */
  readonly end: number;
}

interface Token {
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly kind: string;
  /** How reserved the word is, as Postgres's grammar counts; 0 is not a keyword, 4 is fully reserved. */
  readonly keyword: number;
}

/** What a parameter may be called: psql takes these too, and `__proto__` is not among them. */
export const PARAM_NAME = /^[a-z][a-z0-9_]{0,62}$/i;

/** Reserved words that are a value themselves; whatever follows them is not. */
const VALUE_WORDS = new Set([
  'end',
  'null',
  'true',
  'false',
  'current_date',
  'current_time',
  'current_timestamp',
  'localtime',
  'localtimestamp',
  'current_user',
  'session_user',
  'user',
  'current_role',
  'current_catalog',
]);

/**
 * Finds the placeholders with Postgres's own scanner, so that strings, comments, dollar quotes, `::` and `:=` are never
 * mistaken for one.
 *
 * One ambiguity is left to us: a lone colon is also the separator of an array slice (`a[1:n]`) and of a JSON pair
 * (`json_object('k':v)`). Both follow a value, where a placeholder can never stand, so a colon after a value is left
 * alone. After a word that may be a keyword or a column (`zone:tz`), a declared name decides, as it does in psql.
 *
 * @throws whatever the scanner throws; it names no position, the parser does
 */
export function scanPlaceholders(sql: string, declared: ReadonlySet<string>): ScannedSql {
  const tokens = tokensOf(sql).filter((token) => token.kind !== 'SQL_COMMENT' && token.kind !== 'C_COMMENT');
  const placeholders: Placeholder[] = [];
  const numbered: number[] = [];
  const quoted: number[] = [];
  const locks: number[] = [];
  let end = 0;
  for (const [index, token] of tokens.entries()) {
    if (token.text !== ';') end = token.end;
    if (isLock(token, tokens[index + 1])) locks.push(token.start);
    if (token.kind === 'PARAM') numbered.push(token.start);
    if (token.text !== ':') continue;
    const name = tokens[index + 1];
    if (name?.start !== token.end || followsValue(tokens[index - 1], token, declared.has(name.text))) continue;
    if (/^[a-z]/i.test(name.text) && PARAM_NAME.test(name.text)) {
      placeholders.push({ name: name.text, start: token.start, end: name.end });
    } else if (name.text.startsWith("'") || name.text.startsWith('"')) quoted.push(token.start);
  }
  return { placeholders, numbered, quoted, locks, end };
}

function isLock(token: Token, next: Token | undefined): boolean {
  return /^for$/i.test(token.text) && token.keyword > 0 && /^(update|share|no|key)$/i.test(next?.text ?? '');
}

function followsValue(before: Token | undefined, colon: Token, declared: boolean): boolean {
  if (!before) return false;
  if (['IDENT', 'SCONST', 'ICONST', 'FCONST', 'PARAM'].includes(before.kind)) {
    // The name of the placeholder before (`:a:b`) is a value too; the parser then points at the second colon.
    return true;
  }
  if (before.text === ')' || before.text === ']' || VALUE_WORDS.has(before.text.toLowerCase())) return true;
  // Kinds 1 and 2 are the keywords that may be a column's name.
  const maybeColumn = before.keyword === 1 || before.keyword === 2;
  return maybeColumn && before.end === colon.start && !declared;
}

/** Replaces each `$n` of a statement, found by the scanner, by what `render(n)` gives; strings and comments stay untouched. */
export function replaceNumbered(text: string, render: (n: number) => string): string {
  let out = '';
  let from = 0;
  for (const token of tokensOf(text)) {
    if (token.kind !== 'PARAM') continue;
    out += text.slice(from, token.start) + render(Number(token.text.slice(1)));
    from = token.end;
  }
  return out + text.slice(from);
}

function tokensOf(sql: string): Token[] {
  const offsets = new Offsets(sql);
  return scanSync(sql).tokens.map((token) => {
    const start = offsets.fromBytes(token.start);
    const end = offsets.fromBytes(token.end);
    return { start, end, text: sql.slice(start, end), kind: token.tokenName, keyword: token.keywordKind };
  });
}
