import { createHash, hkdfSync, timingSafeEqual } from 'node:crypto';

const SALT = 'pollcast';
const BYTES = 32;

/**
 * A key for one purpose, from something secret that all nodes share (AUTH_JWT_SECRET, ADMIN_TOKEN, or random bytes kept
 * in the store). What is signed for one purpose is worth nothing for another, and tells nothing about the origin.
 */
export function deriveSecret(shared: string | Uint8Array, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', shared, SALT, purpose, BYTES));
}

/** Takes the same time wherever the two differ, and whatever their lengths. */
export function sameSecret(given: string, expected: string): boolean {
  return timingSafeEqual(digest(given), digest(expected));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest();
}
