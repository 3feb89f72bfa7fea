import { useState } from 'react';
import type { Recording } from '../../../client/index.js';
import { useHub } from '../../../client/react.js';
import { PageHeader } from '../components/page-header.js';
import { Player } from './player.js';
import { isUnderWay, useRecordings } from './use-recordings.js';
import { factsOf, lengthOf, STATE_WORDS, titleOf } from './words.js';

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
            text="Press Record on the dashboard or in a room: what you see there is recorded until you stop it."
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
  const { id, state, seconds, thumbnailUrl, error } = recording;
  const hub = useHub();
  return (
    <li className="recording" data-state={state} data-shown={shown}>
      <button type="button" className="recording-open" disabled={state !== 'ready'} onClick={() => open(id)}>
        <span className="recording-picture">
          {thumbnailUrl === undefined ? (
            isUnderWay(recording) && <span className="record-dot" aria-hidden="true" />
          ) : (
            <img src={thumbnailUrl} alt="" loading="lazy" />
          )}
          {seconds > 0 && <span className="recording-length">{lengthOf(seconds)}</span>}
        </span>
        <span className="recording-name">{titleOf(recording)}</span>
      </button>
      <p className="recording-facts">{factsOf(recording)}</p>
      <p className="recording-state" data-state={recording.ended === 'stopped' && error ? 'stopped' : state}>
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
