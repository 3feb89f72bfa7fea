import { useEffect, useId, useState } from 'react';
import { PageHeader } from '../components/page-header.js';
import { formatAge } from '../format.js';
import { useNow, useVisible } from '../hooks/page-life.js';
import { pathOf, ROOM_PATTERN } from './room-path.js';
import { statusText } from './shared.js';

/** As `GET /api/rooms` tells it. */
interface RoomHead {
  readonly room: string;
  readonly version: number;
  readonly status: unknown;
  readonly members: number;
  readonly at: number;
}

interface Heads {
  readonly rooms: readonly RoomHead[] | undefined;
  readonly problem: string | undefined;
}

const ASK_MS = 2_000;

export function Lobby() {
  const { rooms, problem } = useHeads();
  return (
    <>
      <a className="skip" href="#content">
        Skip to the rooms
      </a>
      <PageHeader />
      <main className="page-main lobby" id="content" tabIndex={-1} aria-busy={rooms === undefined}>
        <h1>Rooms</h1>
        <p className="lobby-lead">
          In a room people look at the dashboard together: what one chooses, all see. It outlives whoever is in it.
        </p>
        <OpenForm />
        {problem !== undefined && (
          <p className="room-trouble" role="alert">
            {problem}
          </p>
        )}
        {rooms?.length === 0 && <p className="lobby-lead">No room is open yet.</p>}
        {rooms !== undefined && rooms.length > 0 && (
          <ul className="room-list" aria-label="Rooms">
            {rooms.map((head) => (
              <RoomItem key={head.room} head={head} />
            ))}
          </ul>
        )}
      </main>
    </>
  );
}

function RoomItem({ head }: { readonly head: RoomHead }) {
  const age = formatAge(useNow() - head.at);
  return (
    <li>
      <a href={pathOf(head.room)}>{head.room}</a>
      <span className="room-list-status">{statusText(head.status)}</span>
      <span>{head.members === 0 ? 'empty' : `${head.members} here`}</span>
      <span className="age">{age === 'now' ? 'now' : `${age} ago`}</span>
    </li>
  );
}

function OpenForm() {
  const field = useId();
  const hint = useId();
  const [name, setName] = useState('');
  return (
    <form
      className="room-field lobby-form"
      onSubmit={(event) => {
        event.preventDefault();
        location.assign(pathOf(name));
      }}
    >
      <label htmlFor={field}>Open a room</label>
      <input
        id={field}
        value={name}
        required
        pattern={ROOM_PATTERN}
        title="1 to 64 small letters, digits and . _ -, beginning with a letter or a digit"
        aria-describedby={hint}
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => setName(event.target.value.toLowerCase().replace(/\s+/g, '-'))}
      />
      <button type="submit" className="quiet-button">
        Open
      </button>
      <span id={hint}>Small letters, digits and . _ -</span>
    </form>
  );
}

/** The rooms, asked for again and again while somebody looks. */
function useHeads(): Heads {
  const visible = useVisible();
  const [heads, setHeads] = useState<Heads>({ rooms: undefined, problem: undefined });
  useEffect(() => {
    if (!visible) return;
    const ended = new AbortController();
    let next: ReturnType<typeof setTimeout> | undefined;
    const ask = async (): Promise<void> => {
      try {
        const response = await fetch('/api/rooms', { signal: ended.signal, headers: { accept: 'application/json' } });
        const body = (await response.json()) as RoomHead[] & { error?: { message: string } };
        if (!response.ok) throw new Error(body.error?.message ?? `The hub answered ${response.status}.`);
        setHeads({ rooms: body, problem: undefined });
      } catch (thrown) {
        if (ended.signal.aborted) return;
        const problem = thrown instanceof Error ? thrown.message : String(thrown);
        setHeads(({ rooms }) => ({ rooms, problem: `The rooms cannot be listed now: ${problem}` }));
      }
      if (!ended.signal.aborted) next = setTimeout(() => void ask(), ASK_MS);
    };
    void ask();
    return () => {
      ended.abort();
      clearTimeout(next);
    };
  }, [visible]);
  return heads;
}
