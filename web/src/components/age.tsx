import { formatAge } from '../format.js';
import { useNow } from '../hooks/page-life.js';

/** How old the data is: counts up each second. Not announced: a screen reader would never be silent. */
export function Age({ updatedAt }: { readonly updatedAt: number | undefined }) {
  const now = useNow();
  if (updatedAt === undefined) return null;
  const age = formatAge(now - updatedAt);
  return (
    <time
      className="age"
      dateTime={new Date(updatedAt).toISOString()}
      title={`Updated ${new Date(updatedAt).toLocaleString('en-GB')}`}
    >
      <span className="unseen">Updated </span>
      {age === 'now' ? 'now' : `${age} ago`}
    </time>
  );
}
