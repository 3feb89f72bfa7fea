/**
 * What the reader of the page has chosen, and how the address keeps it: `?region=EU&minutes=60&ops.open_tickets.priority=urgent`.
 * A name alone is a choice for the whole page; with a topic before it, for that topic only. What equals the default is left
 * out, so that a bare address always means the defaults of today.
 */
import type { Params, ParamScalar } from '../../client/index.js';
import type { PageChoice } from './dashboard.js';
import type { ParamChoice, TopicInfo, TopicParam } from './topics.js';

export type Choices = ReadonlyMap<string, string>;

export function readChoices(search: string): Choices {
  return new Map(new URLSearchParams(search));
}

export function writeChoices(choices: Choices): string {
  const sorted = [...choices].sort(([a], [b]) => (a < b ? -1 : 1));
  const text = new URLSearchParams(sorted).toString();
  return text === '' ? '' : `?${text}`;
}

export function choiceKey(topic: string, param: string): string {
  return `${topic}.${param}`;
}

export interface Chosen {
  readonly params: Params;
  /** Parameters that must be given and are not. */
  readonly missing: readonly TopicParam[];
}

/** What is chosen for the whole page, by parameter. */
export type PageValues = ReadonlyMap<string, string>;

export function pageValues(page: readonly PageChoice[], choices: Choices): PageValues {
  return new Map(
    page.map(({ param, options, initial }) => {
      const chosen = choices.get(param);
      return [param, options.some(({ value }) => value === chosen) ? (chosen as string) : initial];
    }),
  );
}

/**
 * The parameters of a topic: its own choice, else the page's, else the topic's default (which the hub fills in). The page's
 * choice is brought within the topic's bounds, for it was made for all topics and not for this one.
 */
export function chosenParams(topic: TopicInfo, choices: Choices, page: PageValues): Chosen {
  const params: Record<string, Params[string]> = {};
  const missing: TopicParam[] = [];
  for (const param of topic.params) {
    const own = parse(param, choices.get(choiceKey(topic.name, param.name)));
    const value = own ?? within(param, parse(param, page.get(param.name)));
    if (value !== undefined) params[param.name] = value;
    else if (param.default === undefined) {
      const only = param.enum?.[0];
      if (only === undefined) missing.push(param);
      else params[param.name] = param.type.endsWith('[]') ? [only] : only;
    }
  }
  return { params, missing };
}

/** The text that stands for a value in the address; lists are separated by commas. */
export function choiceText(value: ParamChoice): string {
  return Array.isArray(value) ? value.map(String).join(',') : String(value);
}

function parse(param: TopicParam, text: string | undefined): ParamChoice | undefined {
  if (text === undefined) return undefined;
  if (param.type.endsWith('[]')) {
    const items = text === '' ? [] : text.split(',').map((item) => scalar(param.type.slice(0, -2), item));
    return items.every((item) => item !== undefined) ? items : undefined;
  }
  return text === '' ? undefined : scalar(param.type, text);
}

function scalar(type: string, text: string): ParamScalar | undefined {
  switch (type) {
    case 'int':
    case 'float': {
      const number = Number(text);
      return Number.isFinite(number) ? number : undefined;
    }
    case 'bool':
      return text === 'true' ? true : text === 'false' ? false : undefined;
    default:
      return text;
  }
}

function within(param: TopicParam, value: ParamChoice | undefined): ParamChoice | undefined {
  if (typeof value === 'number') {
    const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = param;
    return Math.min(max, Math.max(min, value));
  }
  if (param.enum === undefined || value === undefined) return value;
  const given = Array.isArray(value) ? (value as readonly ParamScalar[]) : [value as ParamScalar];
  return given.every((item) => param.enum?.includes(item)) ? value : undefined;
}
