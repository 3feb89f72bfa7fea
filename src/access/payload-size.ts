/** An event over this is refused with `BAD_REQUEST`; what a page sends is far below. */
export const MAX_EVENT_BYTES = 256 * 1024;

/** A websocket message over this ends its connection before it is read. Above MAX_EVENT_BYTES, so that there is an answer. */
export const MAX_PAYLOAD_BYTES = 2 * 1024 * 1024;

/**
 * About how many bytes a parsed message had, counting no further than `most`. Without recursion, since a message can
 * be nested as deep as it is long.
 */
export function payloadSize(message: unknown, most = Infinity): number {
  const waiting: unknown[] = [message];
  let size = 0;
  while (waiting.length > 0 && size <= most) {
    const value = waiting.pop();
    if (typeof value === 'string') size += Buffer.byteLength(value) + 2;
    else if (ArrayBuffer.isView(value)) size += value.byteLength;
    else if (Array.isArray(value)) {
      size += 2 + value.length;
      for (const element of value) waiting.push(element);
    } else if (typeof value === 'object' && value !== null) {
      size += 2;
      for (const [key, element] of Object.entries(value)) {
        size += Buffer.byteLength(key) + 4;
        waiting.push(element);
      }
    } else size += 4;
  }
  return size;
}
