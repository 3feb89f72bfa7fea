import { PollcastError } from '../errors.js';
import { bindAll, bindParams, type BindOptions, type Claims } from './params.js';
import type { Channel, ParamValue, Topic } from './topic.js';
import { elementType } from './values.js';

/** Longer keys are refused: they travel with every frame and are Redis fields. */
export const MAX_KEY_LENGTH = 8_000;

/** A channel's key taken apart; the types of the values are known only with the topic. */
export interface ParsedChannelKey {
  readonly topic: string;
  /** null for `name` without `=`, a list where the value has commas that are not encoded, else the text. */
  readonly params: Readonly<Record<string, string | readonly string[] | null>>;
}

/**
 * The canonical form of a channel: `name?a=1&b=x`, keys sorted, values percent-encoded; `name` alone when the topic has no
 * parameters. Two channels of a topic have the same key exactly when all their values are equal:
 *
 * - null is the key without `=`; `b=` is the empty text
 * - the elements of an array are encoded one by one and joined with commas (a comma within one is `%2C`); a list whose
 *   last element is empty ends in one more comma, so that `a=` is `[]`, `a=,` is `['']` and `a=x,,` is `['x', '']`
 *
 * @param values in canonical form, one for each of the topic's parameters, as `bindParams` returns them
 */
export function channelKey(topic: string, values: Readonly<Record<string, ParamValue>>): string {
  const names = Object.keys(values).sort();
  if (names.length === 0) return topic;
  return `${topic}?${names.map((name) => encodePair(name, values[name] ?? null)).join('&')}`;
}

function encodePair(name: string, value: ParamValue): string {
  if (value === null) return encodeURIComponent(name);
  return `${encodeURIComponent(name)}=${Array.isArray(value) ? encodeList(value as readonly ParamValue[]) : encodeURIComponent(String(value))}`;
}

function encodeList(elements: readonly ParamValue[]): string {
  const list = elements.map((element) => encodeURIComponent(String(element))).join(',');
  return elements.at(-1) === '' ? `${list},` : list;
}

/**
 * @throws PollcastError `BAD_REQUEST` for what is no key
 */
export function parseChannelKey(key: string): ParsedChannelKey {
  const mark = key.indexOf('?');
  const topic = mark < 0 ? key : key.slice(0, mark);
  if (!/^[a-z0-9_]+(\.[a-z0-9_]+)*$/.test(topic) || key.length > MAX_KEY_LENGTH) throw badKey(key);
  const params: Record<string, string | string[] | null> = {};
  if (mark < 0) return { topic, params };
  try {
    for (const pair of key.slice(mark + 1).split('&')) {
      const equals = pair.indexOf('=');
      const name = decodeURIComponent(equals < 0 ? pair : pair.slice(0, equals));
      if (name === '' || name === '__proto__' || Object.hasOwn(params, name)) throw badKey(key);
      params[name] = equals < 0 ? null : decodeValue(pair.slice(equals + 1));
    }
  } catch (error) {
    throw error instanceof PollcastError ? error : badKey(key);
  }
  return { topic, params };
}

function decodeValue(written: string): string | string[] {
  if (!written.includes(',')) return decodeURIComponent(written);
  const parts = written.split(',');
  if (parts.at(-1) === '') parts.pop();
  return parts.map(decodeURIComponent);
}

function badKey(key: string): PollcastError {
  return new PollcastError(
    'BAD_REQUEST',
    `expected a channel such as sales.by_region?minutes=15, got "${key.slice(0, 100)}"`,
  );
}

/**
 * The channel that a viewer asks for.
 *
 * @throws PollcastError `INVALID_PARAMS` or `FORBIDDEN`, as `bindParams`
 */
export function channelOf(topic: Topic, given: unknown, claims: Claims = {}, options: BindOptions = {}): Channel {
  return channel(topic, bindParams(topic, given, claims, options));
}

/**
 * The channel of a key that this cluster made: claims stand in it as checked before. Never for a key that a client sent.
 *
 * @throws PollcastError `BAD_REQUEST` for what is no key of this topic, `INVALID_PARAMS` when the topic's parameters
 *   have changed meanwhile
 */
export function channelFromKey(topic: Topic, key: string): Channel {
  const parsed = parseChannelKey(key);
  if (parsed.topic !== topic.name) throw badKey(key);
  const given: Record<string, unknown> = { ...parsed.params };
  for (const spec of topic.params) {
    const value = parsed.params[spec.name];
    if (!elementType(spec.type).array || typeof value !== 'string') continue;
    given[spec.name] = value === '' ? [] : [value];
  }
  return channel(topic, bindAll(topic, given));
}

function channel(topic: Topic, values: Record<string, ParamValue>): Channel {
  const key = channelKey(topic.name, values);
  if (key.length > MAX_KEY_LENGTH) {
    throw new PollcastError(
      'INVALID_PARAMS',
      `${topic.name}: expected parameters of at most ${MAX_KEY_LENGTH} characters in all, got ${key.length}`,
      [
        {
          param: '',
          expected: `at most ${MAX_KEY_LENGTH} characters`,
          got: `${key.length} characters`,
          message: 'the parameters are too long altogether',
        },
      ],
    );
  }
  return { key, topic, values };
}
