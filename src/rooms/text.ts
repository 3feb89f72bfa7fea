/**
 * JSON may hold texts that Postgres takes in no form: with the character U+0000, or with half of a character (a surrogate without
 * the other one). `JSON.stringify` writes those as escapes, and all others as they are.
 */
const ESCAPED = /((?:^|[^\\])(?:\\\\)*)\\u(?:0000|d[89a-f][0-9a-f]{2})/;
const REPLACEMENT = '\ufffd';

/** Whether JSON as `JSON.stringify` writes it has only texts that any database keeps. */
export function isPlainText(json: string): boolean {
  return !ESCAPED.test(json);
}

/** The JSON with replacement characters in the place of what no database keeps. */
export function plainText(json: string): string {
  let plain = json;
  // Escapes beside each other share the character between them: as often as there are some left.
  while (ESCAPED.test(plain)) plain = plain.replace(new RegExp(ESCAPED, 'g'), `$1${REPLACEMENT}`);
  return plain;
}
