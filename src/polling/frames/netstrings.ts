/**
 * Netstrings (D. J. Bernstein, 1997): `<length in bytes>:<bytes>`, one after the other. Rows travel as they are: Redis can
 * put a message together, and a node take it apart, without parsing or escaping them.
 */
export function* readNetstrings(message: Buffer): Generator<Buffer> {
  let at = 0;
  while (at < message.length) {
    const colon = message.indexOf(58, at);
    if (colon < 0) throw new Error('netstring without a length');
    const length = Number(message.toString('latin1', at, colon));
    const end = colon + 1 + length;
    if (!Number.isInteger(length) || length < 0 || end > message.length) throw new Error('netstring of a wrong length');
    yield message.subarray(colon + 1, end);
    at = end;
  }
}
