import { useRef, type CSSProperties } from 'react';
import type { Row } from '../../../client/index.js';
import { rowId } from '../changes.js';
import type { Column } from '../dashboard.js';
import { formatNumber, NOTHING, textOf } from '../format.js';
import { useReordering } from '../hooks/motion.js';

interface RankListProps {
  readonly rows: readonly Row[];
  readonly idColumns: readonly string[];
  readonly label: string;
  readonly value: Column;
  readonly note: ((row: Row) => string) | undefined;
  readonly places: number;
}

/** Rows by size, each with a bar; what overtakes is seen to overtake. */
export function RankList({ rows, idColumns, label, value, note, places }: RankListProps) {
  const list = useRef<HTMLOListElement>(null);
  const entries = rows.map((row, place) => {
    const number = row[value.name];
    return { row, id: rowId(row, idColumns, place), number: typeof number === 'number' ? number : undefined };
  });
  const ranked = entries.sort((a, b) => (b.number ?? 0) - (a.number ?? 0)).slice(0, places);
  const most = Math.max(...ranked.map(({ number }) => number ?? 0), Number.MIN_VALUE);
  useReordering(list, ranked.map(({ id }) => id).join());
  return (
    <ol ref={list} className="rank">
      {ranked.map(({ row, id, number }) => (
        <li key={id} data-id={id} style={{ '--share': Math.max(0, number ?? 0) / most } as CSSProperties}>
          <span className="rank-label" title={textOf(row[label])}>
            {textOf(row[label])}
          </span>
          <span className="rank-value">{number === undefined ? NOTHING : formatNumber(number, value.format)}</span>
          <span className="rank-bar" aria-hidden="true" />
          {note !== undefined && <span className="rank-note">{note(row)}</span>}
        </li>
      ))}
    </ol>
  );
}
