import { useState } from 'react';
import type { Recording } from '../../../client/index.js';
import { useHub } from '../../../client/react.js';
import { PageHeader } from '../components/page-header.js';
import { Player } from './player.js';
import { isUnderWay, useRecordings } from './use-recordings.js';
import { lengthOf, STATE_WORDS } from './words.js';

export function RecordingsPage() {
  const { recordings, problem } = useRecordings();
  const [chosen, choose] = useState(() => location.hash.slice(1));
  const shown = recordings?.find(({ id }) => id === chosen);
  const open = (id: string): void => {
    history.replaceState(null, '', `#${id}`);
    choose(id);
  };
  return (
    <>
      <PageHeader />
      <main className="page-main" id="content" tabIndex={-1} aria-busy={recordings === undefined}>
        <h1 className="recordings-title">Recordings</h1>
        {problem !== undefined && <Notice title="The recordings cannot be listed" text={problem} />}
        {recordings?.length === 0 && (
          <Notice
            title="Nothing is recorded yet"
            text="Press Record on the dashboard: what you see there is recorded until you stop it."
          />
        )}
        {shown?.state === 'ready' && <Player key={shown.id} recording={shown} />}
        <ul className="recordings" aria-label="Recordings">
          {recordings?.map((recording) => (
            <Item key={recording.id} recording={recording} shown={recording === shown} open={open} />
          ))}
        </ul>
      </main>
    </>
  );
}

interface ItemProps {
  readonly recording: Recording;
  readonly shown: boolean;
  readonly open: (id: string) => void;
}

function Item({ recording, shown, open }: ItemProps) {
  const { id, title, state, seconds, requestedAt, thumbnailUrl, error } = recording;
  const hub = useHub();
  const facts = [new Date(requestedAt).toLocaleString(), seconds > 0 ? lengthOf(seconds) : '', recording.node ?? ''];
  return (
    <li className="recording" data-state={state} data-shown={shown}>
      <button type="button" className="recording-open" disabled={state !== 'ready'} onClick={() => open(id)}>
        <span className="recording-picture">
          {thumbnailUrl === undefined ? <span aria-hidden="true" /> : <img src={thumbnailUrl} alt="" loading="lazy" />}
          {seconds > 0 && <span className="recording-length">{lengthOf(seconds)}</span>}
        </span>
        <span className="recording-name">{title === '/' ? 'Dashboard' : title}</span>
      </button>
      <p className="recording-facts">{facts.filter(Boolean).join(' · ')}</p>
      <p className="recording-state" data-state={state}>
        {error?.message ?? STATE_WORDS[state]}
      </p>
      {isUnderWay(recording) && state !== 'finishing' && (
        <button
          type="button"
          className="record-button"
          data-on="true"
          onClick={() => void hub.call('recording:stop', { id }).catch(() => undefined)}
        >
          <span className="record-dot" aria-hidden="true" />
          Stop
        </button>
      )}
    </li>
  );
}

function Notice({ title, text }: { readonly title: string; readonly text: string }) {
  return (
    <div className="notice" role="status">
      <h2>{title}</h2>
      <p>{text}</p>
    </div>
  );
}
