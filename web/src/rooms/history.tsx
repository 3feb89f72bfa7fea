import { useCallback, useEffect, useRef, useState } from 'react';
import type { Room, RoomEvent } from '../../../client/index.js';
import { formatClock } from '../format.js';
import { wordsOf } from './shared.js';

const PAGE = 50;

interface HistoryProps {
  readonly room: Room;
  /** Of the room now: at each new one the newest page is read again. */
  readonly version: number;
  readonly close: () => void;
}

/** What happened here, the newest first. */
export function History({ room, version, close }: HistoryProps) {
  const [events, setEvents] = useState<ReadonlyMap<number, RoomEvent>>(new Map());
  const [ended, setEnded] = useState(false);
  const [failure, setFailure] = useState<string>();
  const heading = useRef<HTMLHeadingElement>(null);
  const read = useCallback(
    async (before?: number) => {
      try {
        const page = await room.history(before === undefined ? { limit: PAGE } : { before, limit: PAGE });
        if (page.length < PAGE) setEnded(true);
        setEvents((known) => new Map([...known, ...page.map((event) => [event.version, event] as const)]));
        setFailure(undefined);
      } catch (error) {
        setFailure(error instanceof Error ? error.message : String(error));
      }
    },
    [room],
  );
  useEffect(() => void read(), [read, version]);
  useEffect(() => heading.current?.focus(), []);
  const shown = [...events.values()].sort((a, b) => b.version - a.version);
  // Of a user's names the newest.
  const names = new Map(shown.toReversed().flatMap(({ joins = [] }) => joins.map(({ user, name }) => [user, name])));
  return (
    <aside
      className="room-history"
      aria-labelledby="room-history"
      onKeyDown={(event) => event.key === 'Escape' && close()}
    >
      <header>
        <h2 id="room-history" ref={heading} tabIndex={-1}>
          History
        </h2>
        <button type="button" className="quiet-button" onClick={close}>
          Close
        </button>
      </header>
      {failure !== undefined && <p role="alert">{failure}</p>}
      <ol tabIndex={0} aria-label="What happened, the newest first">
        {shown.map((event) => (
          <li key={event.version}>
            <time dateTime={new Date(event.at).toISOString()}>{formatClock(event.at)}</time>
            <p>
              <strong>{event.by === null ? 'The hub' : (names.get(event.by) ?? event.by)}</strong> {wordsOf(event)}
            </p>
          </li>
        ))}
      </ol>
      {!ended && shown.length > 0 && (
        <button type="button" className="quiet-button" onClick={() => void read(shown.at(-1)?.version)}>
          Older
        </button>
      )}
    </aside>
  );
}
