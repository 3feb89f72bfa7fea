const QUOTE = 0x22;
const NEWLINE = 0x0a;
const COMMA = 0x2c;

/**
 * The end of the row that begins at `from`, behind its newline; -1 when it is not there yet. Postgres quotes a field with a
 * newline, and doubles the quotes within: so every second quote ends the quoting.
 */
export function rowEnd(data: Buffer, from: number): number {
  let quoted = false;
  for (let i = from; i < data.length; i++) {
    const byte = data[i];
    if (byte === QUOTE) quoted = !quoted;
    else if (byte === NEWLINE && !quoted) return i + 1;
  }
  return -1;
}

/** Fields of one row, without its newline. Nothing at all is NULL, `""` is the empty text. */
export function parseRow(data: Buffer, from: number, end: number): (string | null)[] {
  const fields: (string | null)[] = [];
  let at = from;
  for (;;) {
    let stop = at;
    let escaped = false;
    if (data[at] === QUOTE) {
      for (stop = at + 1; stop < end; stop++) {
        if (data[stop] !== QUOTE) continue;
        if (data[stop + 1] !== QUOTE) break;
        escaped = true;
        stop++;
      }
      const text = data.toString('utf8', at + 1, stop);
      fields.push(escaped ? text.replaceAll('""', '"') : text);
      stop++;
    } else {
      while (stop < end && data[stop] !== COMMA) stop++;
      fields.push(stop === at ? null : data.toString('utf8', at, stop));
    }
    if (stop >= end) return fields;
    at = stop + 1;
  }
}
