import { useEffect, useMemo, useRef, useState } from 'react';
import type { Recording } from '../../../client/index.js';
import { factsOf, lengthOf, namesIn, readTimeline, tellLine, titleOf, type TimelineLine } from './words.js';

/** More would not be read, and would make the page slow. */
const MOST_LINES = 2_000;

/** The video, and beside it what happened: each moment is a way to it. */
export function Player({ recording }: { readonly recording: Recording }) {
  const { url, timelineUrl, thumbnailUrl } = recording;
  const video = useRef<HTMLVideoElement>(null);
  const [at, setAt] = useState(0);
  const lines = useTimeline(timelineUrl);
  const names = useMemo(() => namesIn(lines), [lines]);
  // Several may have happened at once: the one that was chosen is shown until the video has gone on.
  const [chosen, choose] = useState(-1);
  const isThere = Math.abs((lines[chosen]?.at ?? -1) - at) < 0.01;
  const current = isThere ? chosen : lines.findLastIndex((line) => line.at <= at);
  const list = useList(current);
  const seek = (index: number): void => {
    const line = lines[index];
    if (video.current === null || line === undefined) return;
    video.current.currentTime = line.at;
    setAt(line.at);
    choose(index);
  };
  return (
    <section className="player" aria-label={`Recording of ${titleOf(recording)}`}>
      <header className="player-head">
        <h2>{titleOf(recording)}</h2>
        <p>{factsOf(recording)}</p>
        <a href={url} download={`${recording.id}.mp4`}>
          Download
        </a>
      </header>
      <video
        ref={video}
        src={url}
        poster={thumbnailUrl}
        controls
        playsInline
        preload="metadata"
        onTimeUpdate={({ currentTarget }) => setAt(currentTarget.currentTime)}
      />
      <ol className="timeline" ref={list} aria-label="What happened">
        {lines.length === 0 && <li className="timeline-none">Nothing happened that the hub knows of.</li>}
        {lines.map((line, i) => (
          <Moment key={i} line={line} names={names} current={i === current} seek={() => seek(i)} />
        ))}
      </ol>
    </section>
  );
}

/** A list that keeps its current line in sight while the video plays, and moves nothing else of the page. */
function useList(current: number) {
  const list = useRef<HTMLOListElement>(null);
  useEffect(() => {
    const [box, item] = [list.current, list.current?.children[current]];
    if (!box || !item) return;
    const [outer, inner] = [box.getBoundingClientRect(), item.getBoundingClientRect()];
    if (inner.top < outer.top || inner.bottom > outer.bottom)
      box.scrollTop += inner.top - outer.top - (outer.height - inner.height) / 2;
  }, [current]);
  return list;
}

interface MomentProps {
  readonly line: TimelineLine;
  readonly names: ReadonlyMap<string, string>;
  readonly current: boolean;
  readonly seek: () => void;
}

function Moment({ line, names, current, seek }: MomentProps) {
  const { title, detail } = tellLine(line, names);
  return (
    <li>
      <button type="button" data-type={line.type} aria-current={current ? 'time' : undefined} onClick={seek}>
        <time>{lengthOf(line.at)}</time>
        <span className="timeline-title">{title}</span>
        <span className="timeline-detail">{detail}</span>
      </button>
    </li>
  );
}

function useTimeline(url: string | undefined): readonly TimelineLine[] {
  const [lines, setLines] = useState<readonly TimelineLine[]>([]);
  useEffect(() => {
    if (url === undefined) return;
    const ended = new AbortController();
    fetch(url, { signal: ended.signal })
      .then((response) => (response.ok ? response.text() : ''))
      .then(
        (text) => setLines(readTimeline(text).slice(0, MOST_LINES)),
        () => undefined,
      );
    return () => ended.abort();
  }, [url]);
  return lines;
}
