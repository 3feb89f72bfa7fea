import type { DuckDBType, DuckDBValue } from '@duckdb/node-api';
import type { Duck } from './load.js';

/**
 * Rows as JSON in Postgres's manner, whatever DuckDB's own is: timestamps ISO 8601, every number a JSON number, `NaN` and
 * the infinities as texts, what has no JSON of its own as DuckDB's text.
 */
export class RowJson {
  constructor(private readonly duck: Duck) {}

  row(names: readonly string[], types: readonly DuckDBType[], values: readonly DuckDBValue[]): string {
    return this.#object(names.map((name, i) => [name, values[i] ?? null, types[i] as DuckDBType]));
  }

  #object(members: readonly (readonly [name: string, value: DuckDBValue, type: DuckDBType])[]): string {
    return `{${members.map(([name, value, type]) => `${JSON.stringify(name)}:${this.value(value, type)}`).join(',')}}`;
  }

  value(value: DuckDBValue, type: DuckDBType): string {
    if (value === null || value === undefined) return 'null';
    const { duck } = this;
    if (typeof value === 'boolean' || typeof value === 'bigint') return String(value);
    if (typeof value === 'number') return Number.isFinite(value) ? String(value) : JSON.stringify(String(value));
    if (typeof value === 'string') return type.alias === 'JSON' ? value : JSON.stringify(value);
    if (value instanceof duck.DuckDBDecimalValue) return value.toString();
    if (value instanceof duck.DuckDBTimestampTZValue) return JSON.stringify(instant(value.micros));
    if (
      value instanceof duck.DuckDBTimestampValue ||
      value instanceof duck.DuckDBTimestampSecondsValue ||
      value instanceof duck.DuckDBTimestampMillisecondsValue ||
      value instanceof duck.DuckDBTimestampNanosecondsValue
    ) {
      return JSON.stringify(value.toString().replace(' ', 'T'));
    }
    if (
      (value instanceof duck.DuckDBListValue && type instanceof duck.DuckDBListType) ||
      (value instanceof duck.DuckDBArrayValue && type instanceof duck.DuckDBArrayType)
    ) {
      return `[${value.items.map((item) => this.value(item, type.valueType)).join(',')}]`;
    }
    if (value instanceof duck.DuckDBStructValue && type instanceof duck.DuckDBStructType) {
      const members = type.entryNames.map(
        (name, i) => [name, value.entries[name] ?? null, type.entryTypes[i]!] as const,
      );
      return this.#object(members);
    }
    if (value instanceof duck.DuckDBMapValue && type instanceof duck.DuckDBMapType) {
      return this.#object(value.entries.map((entry) => [String(entry.key), entry.value, type.valueType]));
    }
    return JSON.stringify(value.toString());
  }
}

/** In UTC, with as many digits of the second as there are: `2024-01-02T03:04:05.123456+00:00`. */
function instant(micros: bigint): string {
  const second = micros >= 0n ? micros / 1_000_000n : (micros - 999_999n) / 1_000_000n;
  const fraction = (micros - second * 1_000_000n).toString().padStart(6, '0').replace(/0+$/, '');
  const date = new Date(Number(second) * 1_000);
  // DuckDB's calendar is wider than JavaScript's: infinity, too, is beyond it.
  if (Number.isNaN(date.getTime())) return micros > 0n ? 'infinity' : '-infinity';
  return `${date.toISOString().slice(0, -5)}${fraction === '' ? '' : `.${fraction}`}+00:00`;
}
