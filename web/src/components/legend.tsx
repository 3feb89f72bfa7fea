import type { Hue } from '../dashboard.js';

interface LegendProps {
  readonly entries: readonly { readonly name: string; readonly value: string; readonly hue: Hue }[];
  /** The moment that the values belong to. */
  readonly at: string;
  /** A reader points at it; else it is the newest. */
  readonly pointed: boolean;
}

/** Names, colours and values of a chart's lines: at the pointer, else the newest. */
export function Legend({ entries, at, pointed }: LegendProps) {
  return (
    <figcaption className="legend">
      <ul>
        {entries.map(({ name, value, hue }) => (
          <li key={name}>
            <span className="swatch" data-hue={hue} aria-hidden="true" />
            <span className="legend-name">{name}</span>
            <span className="legend-value">{value}</span>
          </li>
        ))}
      </ul>
      <span className="legend-at" data-pointed={pointed}>
        {at}
      </span>
    </figcaption>
  );
}
