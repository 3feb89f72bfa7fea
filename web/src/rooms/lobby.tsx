import { useEffect, useId, useState } from 'react';
import { PageHeader } from '../components/page-header.js';
import { formatAge } from '../format.js';
import { useNow, useVisible } from '../hooks/page-life.js';
import { pathOf, ROOM_PATTERN } from './room-path.js';
import { statusText } from './shared.js';

/** As `GET /api/rooms/stream` tells it. */
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

const RETRY_MS = 2_000;

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

/** The rooms as they change, while somebody looks. */
function useHeads(): Heads {
  const visible = useVisible();
  const [heads, setHeads] = useState<Heads>({ rooms: undefined, problem: undefined });
  useEffect(() => {
    if (!visible) return;
    const known = new Map<string, RoomHead>();
    let source: EventSource;
    let retry: ReturnType<typeof setTimeout> | undefined;
    const take = (event: MessageEvent<string>): void => {
      if (event.type === 'rooms') known.clear();
      for (const head of JSON.parse(event.data) as RoomHead[]) known.set(head.room, head);
      setHeads({ rooms: [...known.values()].sort((a, b) => b.at - a.at), problem: undefined });
    };
    const open = (): void => {
      source = new EventSource('/api/rooms/stream');
      source.addEventListener('rooms', take);
      source.addEventListener('changed', take);
      source.addEventListener('error', () => {
        setHeads(({ rooms }) => ({ rooms, problem: 'The rooms cannot be listed now; trying again.' }));
        // Refused rather than broken off: then it does not try again by itself.
        if (source.readyState === EventSource.CLOSED) retry = setTimeout(open, RETRY_MS);
      });
    };
    open();
    return () => {
      clearTimeout(retry);
      source.close();
    };
  }, [visible]);
  return heads;
}
