import { useId, useState, type ReactNode } from 'react';

export interface Column<R> {
  readonly label: string;
  readonly cell: (row: R) => ReactNode;
  readonly numeric?: boolean;
  readonly wideOnly?: boolean;
}

interface TableProps<R> {
  readonly caption: string;
  readonly rows: readonly R[];
  readonly id: (row: R) => string;
  readonly columns: readonly Column<R>[];
  readonly empty: string;
  /** What a search looks in; absent: there is none. */
  readonly text?: (row: R) => string;
}

/** Rows beyond this many are found by searching. */
const SHOWN = 100;

export function Table<R>({ caption, rows, id, columns, empty, text }: TableProps<R>) {
  const [wanted, setWanted] = useState('');
  const search = useId();
  const found = text && wanted !== '' ? rows.filter((row) => text(row).includes(wanted.toLowerCase())) : rows;
  if (rows.length === 0) return <p className="empty">{empty}</p>;
  return (
    <>
      {text && rows.length > 8 && (
        <div className="search">
          <label htmlFor={search}>Find</label>
          <input id={search} type="search" value={wanted} onChange={(event) => setWanted(event.target.value)} />
        </div>
      )}
      <div className="table-scroll" tabIndex={0} role="region" aria-label={`${caption}, table`}>
        <table>
          <caption className="unseen">{caption}</caption>
          <thead>
            <tr>
              {columns.map(({ label, numeric, wideOnly }) => (
                <th key={label} scope="col" className={classOf(numeric, wideOnly)}>
                  {label}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {found.slice(0, SHOWN).map((row) => (
              <tr key={id(row)}>
                {columns.map(({ label, cell, numeric, wideOnly }) => (
                  <td key={label} className={classOf(numeric, wideOnly)}>
                    {cell(row)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {found.length > SHOWN && (
        <p className="empty">
          {SHOWN} of {found.length} shown: search for the others.
        </p>
      )}
    </>
  );
}

function classOf(numeric = false, wideOnly = false): string {
  return [numeric ? 'numeric' : '', wideOnly ? 'wide-only' : ''].filter(Boolean).join(' ');
}
