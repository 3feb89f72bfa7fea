/**
 * `/watch?topic=a&topic=b&a.region=EU&room=r&name=Lobby`: the panels of these topics and nothing else, for walls and for recordings; with a
 * room, who is there and what its status is.
 */
import { useSyncExternalStore } from 'react';
import type { RoomSnapshot } from '../../../client/index.js';
import { useRoom } from '../../../client/react.js';
import { DashboardSections } from '../components/dashboard-sections.js';
import { DASHBOARD } from '../dashboard.js';
import { useServedTopics } from '../hooks/topics.js';
import { layoutOf } from '../layout.js';
import { statusText } from '../rooms/shared.js';

const NOTHING = new Map<string, string>();
const asked = new URLSearchParams(location.search);
/** As the others in the room see this page: a recording says that it is one. */
const NAME = asked.get('name') ?? 'Wall';

export function WatchPage() {
  const names = asked.getAll('topic');
  const room = asked.get('room');
  const { topics = [] } = useServedTopics();
  const chosen = topics.filter(({ name }) => names.includes(name));
  const { sections } = layoutOf({ ...DASHBOARD, headlines: [], choices: [] }, chosen);
  return (
    <main className="page-main">
      <h1 className="unseen">{chosen.map(({ title }) => title).join(', ')}</h1>
      {room !== null && <RoomLine room={room} />}
      <DashboardSections sections={sections} page={NOTHING} />
    </main>
  );
}

const unsubscribed = (): (() => void) => () => undefined;
const nothing = (): undefined => undefined;

function RoomLine({ room }: { readonly room: string }) {
  const joined = useRoom(room, NAME);
  const snapshot = useSyncExternalStore<RoomSnapshot | undefined>(
    joined?.subscribe ?? unsubscribed,
    joined?.snapshot ?? nothing,
  );
  const status = statusText(snapshot?.status);
  return (
    <section className="room" aria-label={`Room ${room}`} data-phase={snapshot?.phase}>
      <div className="room-bar">
        <p className="room-name">
          Room <strong>{room}</strong>
        </p>
        <div className="room-members">
          <ul aria-label="Who is here">
            {snapshot?.members.map((member) => (
              <li key={member.user}>{member.name}</li>
            ))}
          </ul>
        </div>
        {status !== '' && <p>{status}</p>}
      </div>
      {snapshot?.phase === 'refused' && (
        <p className="room-trouble" role="status">
          {snapshot.error?.message}
        </p>
      )}
    </section>
  );
}
