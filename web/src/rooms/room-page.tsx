import { useCallback, useEffect, useMemo, useState, useSyncExternalStore } from 'react';
import type { Room, RoomPatch, RoomSnapshot } from '../../../client/index.js';
import { useRoom } from '../../../client/react.js';
import { App } from '../app.js';
import { PageHeader } from '../components/page-header.js';
import { SharedChoices, type Choose } from '../hooks/choices.js';
import { Pinned, type PinnedTo } from '../hooks/pinned.js';
import { History } from './history.js';
import { Notes, PinnedNotes } from './notes.js';
import { Members, StatusForm } from './room-bar.js';
import { choicesOf } from './shared.js';

const NAME_KEY = 'pollcast-name';
/** Of a page that nobody sits at: a wall, or a recording. */
const GIVEN_NAME = new URLSearchParams(location.search).get('name');
const unsubscribed = (): (() => void) => () => undefined;
const nothing = (): undefined => undefined;

/** The dashboard, looked at together: what one chooses, all see. */
export function RoomPage({ room: id }: { readonly room: string }) {
  const [name, setName] = useState(() => GIVEN_NAME ?? localStorage.getItem(NAME_KEY) ?? '');
  const room = useRoom(id, name === '' ? undefined : name);
  const snapshot = useSyncExternalStore<RoomSnapshot | undefined>(
    room?.subscribe ?? unsubscribed,
    room?.snapshot ?? nothing,
  );
  useEffect(() => {
    document.title = `${id} · Rooms · Pollcast`;
  }, [id]);
  const [failure, setFailure] = useState<string>();
  const attempt = useCallback((made: Promise<void> | undefined): Promise<boolean> => {
    setFailure(undefined);
    return Promise.resolve(made).then(
      () => true,
      (error: unknown) => {
        setFailure(error instanceof Error ? error.message : String(error));
        return false;
      },
    );
  }, []);
  const change = useCallback((patch: RoomPatch) => attempt(room?.change(patch)), [room, attempt]);
  const choose = useCallback<Choose>((key, value) => void change({ choices: { [key]: value ?? null } }), [change]);
  const state = snapshot?.state;
  const shared = useMemo(() => [choicesOf(state ?? {}), choose] as const, [state, choose]);
  const by = name === '' ? 'guest' : name;
  const pinned = useCallback(
    (to: PinnedTo) => state !== undefined && <PinnedNotes to={to} state={state} by={by} change={change} />,
    [state, by, change],
  );
  const rename = (next: string): void => {
    localStorage.setItem(NAME_KEY, next);
    setName(next);
    room?.rename(next);
  };

  if (snapshot?.phase === 'refused') return <Refused text={snapshot.error?.message ?? ''} />;
  return (
    <SharedChoices value={shared}>
      <Pinned value={pinned}>
        <App
          heading={`Room ${id}`}
          above={(topics) =>
            room !== undefined &&
            snapshot !== undefined && (
              <section className="room" aria-label={`Room ${id}`} data-phase={snapshot.phase}>
                <div className="room-bar">
                  <p className="room-name">
                    <a href="/rooms">Rooms</a>
                    <strong>{id}</strong>
                  </p>
                  <Members members={snapshot.members} name={name} rename={rename} />
                  <StatusForm
                    status={snapshot.status}
                    save={(text) => attempt(room.status(text === '' ? null : text))}
                  />
                  <PastOf room={room} snapshot={snapshot} />
                </div>
                <Trouble snapshot={snapshot} failure={failure} />
                <Notes state={snapshot.state} topics={topics} by={by} change={change} />
              </section>
            )
          }
        />
      </Pinned>
    </SharedChoices>
  );
}

function PastOf({ room, snapshot }: { readonly room: Room; readonly snapshot: RoomSnapshot }) {
  const [open, setOpen] = useState(false);
  return (
    <div className="room-past">
      <button type="button" className="quiet-button" aria-expanded={open} onClick={() => setOpen(!open)}>
        {open ? 'Close the history' : 'History'}
      </button>
      {open && <History room={room} version={snapshot.version} close={() => setOpen(false)} />}
    </div>
  );
}

function Trouble({ snapshot, failure }: { readonly snapshot: RoomSnapshot; readonly failure: string | undefined }) {
  const joining = snapshot.phase === 'joining' ? (snapshot.error?.message ?? 'Joining the room…') : undefined;
  return (
    <p className="room-trouble" role="status">
      {failure ?? joining}
    </p>
  );
}

function Refused({ text }: { readonly text: string }) {
  return (
    <>
      <PageHeader />
      <main className="page-main">
        <div className="notice" role="alert">
          <h1>This room cannot be joined</h1>
          <p>{text}</p>
          <p>
            <a href="/rooms">To the rooms that there are</a>
          </p>
        </div>
      </main>
    </>
  );
}
