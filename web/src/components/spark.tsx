import { useNow } from '../hooks/page-life.js';
import { sparkPath, type Sample } from '../trend.js';

const WIDTH = 240;
const HEIGHT = 36;

/** A line without axes: only its shape tells. It is stretched to its place; the stroke keeps its width. */
export function Spark({ samples }: { readonly samples: readonly Sample[] }) {
  const now = useNow();
  const line = sparkPath(samples, now, WIDTH, HEIGHT);
  return (
    <svg className="spark" viewBox={`0 -2 ${WIDTH} ${HEIGHT + 4}`} preserveAspectRatio="none" aria-hidden="true">
      {line !== '' && <path className="spark-fill" d={`${line}V${HEIGHT + 2}H0Z`} />}
      <path className="spark-line" d={line} />
    </svg>
  );
}
