import { PollcastError } from '../errors.js';
import { didYouMean } from './nearest.js';
import type { ParamSpec, ParamValue, Topic } from './topic.js';
import { checkValue, describeSpec, elementType, outsideSpec, show } from './values.js';

/** What a verified token says. */
export type Claims = Readonly<Record<string, unknown>>;

/** One entry of the details of `INVALID_PARAMS`. */
export interface ParamFault {
  readonly param: string;
  readonly expected: string;
  readonly got: string;
  readonly message: string;
}

export interface BindOptions {
  /** Also take strings for numbers and booleans, and comma-separated strings for arrays: values from a query string. */
  readonly lenient?: boolean;
}

const MAX_FAULTS = 20;

/**
 * Checks what a client gave against the topic's parameters, fills in defaults and claims, and brings every value into its
 * canonical form.
 *
 * @param given  parameter name → JSON value; absent is the same as empty
 * @param claims of the viewer's token; empty when there is none
 * @returns a value for each of the topic's parameters
 * @throws PollcastError `INVALID_PARAMS` with one detail per fault, `FORBIDDEN` when the token lacks a claim
 */
export function bindParams(
  topic: Topic,
  given: unknown,
  claims: Claims = {},
  options: BindOptions = {},
): Record<string, ParamValue> {
  const values: Record<string, ParamValue> = {};
  const faults: ParamFault[] = [];
  const params = given ?? {};
  if (typeof params !== 'object' || Array.isArray(params)) {
    throw invalidParams(topic.name, [fault('', 'an object of parameters by name', params)]);
  }
  const open = topic.params.filter(({ claim }) => claim === undefined);
  for (const name of Object.keys(params)) {
    const spec = topic.params.find((param) => param.name === name);
    if (spec === undefined) faults.push(surplus(name, open));
    else if (spec.claim !== undefined) {
      faults.push({
        param: name,
        expected: 'nothing',
        got: 'a value',
        message: `\`${name}\` is taken from the token and cannot be given: leave it out`,
      });
    }
    if (faults.length >= MAX_FAULTS) throw invalidParams(topic.name, faults);
  }
  for (const spec of open) {
    const value = Object.hasOwn(params, spec.name) ? (params as Record<string, unknown>)[spec.name] : undefined;
    const bound = bindOne(spec, value, options.lenient === true);
    if ('fault' in bound) faults.push(bound.fault);
    else values[spec.name] = bound.value;
  }
  if (faults.length > 0) throw invalidParams(topic.name, faults);
  for (const spec of topic.params) {
    if (spec.claim !== undefined) values[spec.name] = bindClaim(topic, spec, spec.claim, claims);
  }
  return values;
}

/** The same for values that come from a channel's key: claims included, since whoever made the key had them checked. */
export function bindAll(topic: Topic, given: Readonly<Record<string, unknown>>): Record<string, ParamValue> {
  const asGiven = { ...topic, params: topic.params.map(({ claim: _claim, ...spec }) => spec) };
  return bindParams(asGiven, given, {}, { lenient: true });
}

function bindOne(spec: ParamSpec, given: unknown, lenient: boolean): { value: ParamValue } | { fault: ParamFault } {
  if (given === undefined) {
    return spec.default === undefined
      ? { fault: fault(spec.name, describeSpec(spec), given) }
      : { value: spec.default };
  }
  // A parameter whose default is null may be set to null; any other may not.
  if (given === null && spec.default === null) return { value: null };
  const checked = checkValue(spec.type, given, lenient);
  if (!checked.ok) return { fault: fault(spec.name, describeSpec(spec), given, checked.why) };
  const outside = outsideSpec(spec, checked.value);
  return outside === undefined
    ? { value: checked.value }
    : { fault: fault(spec.name, describeSpec(spec), given, outside) };
}

function bindClaim(topic: Topic, spec: ParamSpec, claim: string, claims: Claims): ParamValue {
  const given = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
  if (given === undefined || given === null) {
    throw new PollcastError(
      'FORBIDDEN',
      `${topic.name} is for tokens with the claim \`${claim}\`, and this one has none: sign in with one that does`,
    );
  }
  // A single value stands for a list of one, as issuers write `aud` and roles.
  const list = elementType(spec.type).array && !Array.isArray(given) ? [given] : given;
  const checked = checkValue(spec.type, list, true);
  if (checked.ok) return checked.value;
  throw new PollcastError(
    'FORBIDDEN',
    `${topic.name} needs ${spec.type} as the token's claim \`${claim}\`, and got something else: ${checked.why}`,
  );
}

function surplus(name: string, open: readonly ParamSpec[]): ParamFault {
  const names = open.map((spec) => spec.name);
  const known = names.length === 0 ? 'no parameters' : `one of ${names.join(', ')}`;
  const hint = didYouMean(name, names) || `: the topic takes ${known}`;
  return {
    param: name.slice(0, 100),
    expected: known,
    got: show(name),
    message: `unknown parameter ${show(name)}${hint}`,
  };
}

function fault(param: string, expected: string, given: unknown, why?: string): ParamFault {
  const got = show(given);
  const subject = param === '' ? 'params' : `\`${param}\``;
  return {
    param,
    expected,
    got,
    message: `${subject}: expected ${expected}, got ${got}${why === undefined ? '' : `: ${why}`}`,
  };
}

function invalidParams(topic: string, faults: readonly ParamFault[]): PollcastError {
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : '';
  return new PollcastError('INVALID_PARAMS', `${topic}: ${faults[0]?.message ?? ''}${more}`, faults);
}
