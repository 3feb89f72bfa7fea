/** What the pages keep in a room's state: `{ choices: { param: value }, notes: { id: { text, topic?, by, at } } }`. */
import type { JsonValue, RoomEvent } from '../../../client/index.js';
import type { Choices } from '../choices.js';

export interface Note {
  readonly id: string;
  readonly text: string;
  /** The topic that it is pinned to. */
  readonly topic: string | undefined;
  readonly by: string;
  readonly at: number;
}

type State = Readonly<Record<string, JsonValue>>;

/** Others may write rooms too: what is not as we would have written it is left out. */
export function choicesOf(state: State): Choices {
  const texts = Object.entries(objectOf(state.choices)).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  return new Map(texts);
}

/** The oldest first. */
export function notesOf(state: State): readonly Note[] {
  return Object.entries(objectOf(state.notes))
    .flatMap(([id, value]) => {
      const { text, topic, by, at } = objectOf(value);
      if (typeof text !== 'string' || typeof by !== 'string' || typeof at !== 'number') return [];
      return [{ id, text, topic: typeof topic === 'string' ? topic : undefined, by, at }];
    })
    .sort((a, b) => a.at - b.at);
}

export function statusText(status: unknown): string {
  if (typeof status === 'string') return status;
  return status === null || status === undefined ? '' : JSON.stringify(status);
}

/** One event in words, the name of who did it apart. */
export function wordsOf(event: RoomEvent): string {
  const words: string[] = [];
  if (event.opened) words.push('opened the room');
  for (const { name } of event.joins ?? []) words.push(`joined as ${name}`);
  if (event.leaves !== undefined) words.push('left');
  if (event.status !== undefined) {
    const text = statusText(event.status);
    words.push(text === '' ? 'cleared the status' : `set the status to “${text}”`);
  }
  if (event.patch !== undefined) words.push(...wordsOfPatch(event.patch));
  return words.join(', ');
}

function wordsOfPatch(patch: State): string[] {
  const words = Object.entries(objectOf(patch.choices)).map(([key, value]) =>
    value === null ? `set ${key} to its default` : `chose ${key} ${statusText(value)}`,
  );
  for (const note of Object.values(objectOf(patch.notes))) {
    const { text } = objectOf(note);
    words.push(note === null ? 'removed a note' : typeof text === 'string' ? `noted “${text}”` : 'changed a note');
  }
  return words.length > 0 ? words : ['changed the room'];
}

function objectOf(value: JsonValue | undefined): State {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as State) : {};
}
