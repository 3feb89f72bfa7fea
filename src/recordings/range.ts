export interface Range {
  readonly start: number;
  readonly end: number;
}

/**
 * What part of `size` bytes a Range header asks for: the first of several, as one is enough for a player. `null`: all of it;
 * `'unsatisfiable'`: nothing that there is.
 */
export function rangeOf(header: string | undefined, size: number): Range | null | 'unsatisfiable' {
  const parts = /^bytes=(\d*)-(\d*)/.exec(header ?? '');
  if (!parts || (parts[1] === '' && parts[2] === '')) return null;
  const [, first = '', last = ''] = parts;
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  return start > end || start >= size ? 'unsatisfiable' : { start, end };
}
