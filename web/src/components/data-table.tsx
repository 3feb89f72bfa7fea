import { memo, useLayoutEffect, useMemo, useRef, type CSSProperties } from 'react';
import type { Row } from '../../../client/index.js';
import { changesBetween, rowId } from '../changes.js';
import type { Column } from '../dashboard.js';
import { formatValue, isDate, isMoment, labelOf, textOf } from '../format.js';
import { glow, useReordering } from '../hooks/motion.js';
import { useNow } from '../hooks/page-life.js';

interface DataTableProps {
  readonly caption: string;
  readonly rows: readonly Row[];
  readonly idColumns: readonly string[];
  readonly columns: readonly Column[];
}

/** The browser shares a table's width out in proportion to these; the unit itself does not matter. */
const WIDTH_UNIT = 4;

/** Rows as a table. New rows and changed cells light up and fade; rows that moved are seen to move. */
export function DataTable({ caption, rows, idColumns, columns }: DataTableProps) {
  const body = useRef<HTMLTableSectionElement>(null);
  const before = useRef<readonly Row[]>(undefined);
  const ids = rows.map((row, place) => rowId(row, idColumns, place));
  const largest = useMemo(() => largestOf(rows, columns), [rows, columns]);
  useReordering(body, ids.join());

  useLayoutEffect(() => {
    const { added, changed } = changesBetween(before.current, rows, idColumns);
    before.current = rows;
    for (const line of body.current?.rows ?? []) {
      const id = line.dataset.id ?? '';
      if (added.has(id)) glow(line);
      for (const cell of line.cells) if (changed.get(id)?.has(cell.dataset.column ?? '')) glow(cell);
    }
  }, [rows, idColumns]);

  return (
    <div className="table-scroll" tabIndex={0} role="region" aria-label={`${caption}, table`}>
      <table data-fixed={columns.some(({ share }) => share !== undefined)}>
        <caption className="unseen">{caption}</caption>
        <colgroup>
          {columns.map(({ name, share = 1, wideOnly }) => (
            <col key={name} className={wideOnly ? 'wide-only' : ''} style={{ width: `${share * WIDTH_UNIT}rem` }} />
          ))}
        </colgroup>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.name} scope="col" className={cellClass(column, rows[0])}>
                {column.label ?? labelOf(column.name)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody ref={body}>
          {rows.map((row, place) => (
            <TableRow key={ids[place]} id={ids[place] ?? ''} row={row} columns={columns} largest={largest} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface TableRowProps {
  readonly id: string;
  readonly row: Row;
  readonly columns: readonly Column[];
  /** Of each column with bars, in their order. */
  readonly largest: string;
}

/** A row whose values are the same is not rendered again, though each frame brings new objects. */
const TableRow = memo(
  function TableRow({ id, row, columns, largest }: TableRowProps) {
    const most = new Map(columns.filter(({ bar }) => bar).map(({ name }, n) => [name, Number(largest.split(',')[n])]));
    return (
      <tr data-id={id}>
        {columns.map((column) => (
          <td key={column.name} data-column={column.name} className={cellClass(column, row)}>
            <Cell column={column} row={row} most={most.get(column.name)} />
          </td>
        ))}
      </tr>
    );
  },
  (a, b) =>
    a.id === b.id &&
    a.columns === b.columns &&
    a.largest === b.largest &&
    JSON.stringify(a.row) === JSON.stringify(b.row),
);

interface CellProps {
  readonly column: Column;
  readonly row: Row;
  /** The largest of the column, where it has bars. */
  readonly most: number | undefined;
}

function Cell({ column, row, most }: CellProps) {
  const value = row[column.name];
  if (column.format === 'ago') return <Ago column={column} row={row} />;
  const text = formatValue(value, column.format, Date.now());
  if (most !== undefined && typeof value === 'number') {
    const share = most > 0 ? Math.max(0, value) / most : 0;
    return (
      <span className="bar-cell" style={{ '--share': share } as CSSProperties}>
        {text}
      </span>
    );
  }
  const tone = column.tones?.[textOf(value)];
  if (column.tones === undefined) return text;
  return (
    <span className="tone" data-tone={tone ?? 'plain'}>
      {text.replaceAll('_', ' ')}
    </span>
  );
}

function largestOf(rows: readonly Row[], columns: readonly Column[]): string {
  const bars = columns.filter(({ bar }) => bar);
  return bars.map(({ name }) => Math.max(0, ...rows.map((row) => Number(row[name] ?? 0)))).join();
}

function Ago({ column, row }: { readonly column: Column; readonly row: Row }) {
  return formatValue(row[column.name], 'ago', useNow());
}

function cellClass(column: Column, row: Row | undefined): string {
  const value = row?.[column.name];
  const numeric = typeof value === 'number';
  const time = column.format !== 'text' && (isMoment(value) || isDate(value));
  return [numeric ? 'numeric' : '', time ? 'time' : '', column.wideOnly ? 'wide-only' : ''].filter(Boolean).join(' ');
}
