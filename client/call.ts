/** The form of every call, and what values travel in them. */
import type { WireError } from '../src/errors.js';

export type JsonValue =
  string | number | boolean | null | readonly JsonValue[] | { readonly [name: string]: JsonValue };

export type Ack<T> = ({ readonly ok: true } & T) | { readonly ok: false; readonly error: WireError };

export type Call<Request, Reply> = (request: Request, ack: (reply: Ack<Reply>) => void) => void;
