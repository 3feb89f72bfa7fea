import { useEffect, useRef, useState } from 'react';
import type { Recording } from '../../../client/index.js';
import { lengthOf, readTimeline, tellLine, type TimelineLine } from './words.js';

/** More would not be read, and would make the page slow. */
const MOST_LINES = 2_000;

/** The video, and beside it what happened: each moment is a way to it. */
export function Player({ recording: { title, url, timelineUrl } }: { readonly recording: Recording }) {
  const video = useRef<HTMLVideoElement>(null);
  const [at, setAt] = useState(0);
  const lines = useTimeline(timelineUrl);
  const current = lines.findLastIndex((line) => line.at <= at + 0.05);
  const seek = (line: TimelineLine): void => {
    if (video.current === null) return;
    video.current.currentTime = line.at;
    setAt(line.at);
  };
  return (
    <section className="player" aria-label={`Recording of ${title}`}>
      <video
        ref={video}
        src={url}
        controls
        playsInline
        preload="metadata"
        onTimeUpdate={({ currentTarget }) => setAt(currentTarget.currentTime)}
      />
      <ol className="timeline" aria-label="What happened">
        {lines.length === 0 && <li className="timeline-none">Nothing happened that the hub knows of.</li>}
        {lines.map((line, i) => (
          <Moment key={i} line={line} current={i === current} seek={seek} />
        ))}
      </ol>
    </section>
  );
}

interface MomentProps {
  readonly line: TimelineLine;
  readonly current: boolean;
  readonly seek: (line: TimelineLine) => void;
}

function Moment({ line, current, seek }: MomentProps) {
  const { title, detail } = tellLine(line);
  return (
    <li>
      <button
        type="button"
        data-type={line.type}
        aria-current={current ? 'time' : undefined}
        onClick={() => seek(line)}
      >
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
