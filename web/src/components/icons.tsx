/** Drawn here, so that the page needs nothing from elsewhere. */
const line = {
  fill: 'none',
  stroke: 'currentColor',
  strokeWidth: 1.6,
  strokeLinecap: 'round',
  strokeLinejoin: 'round',
} as const;

export function Mark() {
  return (
    <svg className="mark" viewBox="0 0 32 32" aria-hidden="true">
      <circle cx="8" cy="16" r="4" fill="currentColor" />
      <path d="M15 8.5a9.5 9.5 0 0 1 0 15M20.5 4a16 16 0 0 1 0 24" {...line} strokeWidth={3.2} />
    </svg>
  );
}

export function Eye() {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d="M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8Z" {...line} strokeWidth={1.3} />
      <circle cx="8" cy="8" r="1.9" {...line} strokeWidth={1.3} />
    </svg>
  );
}

export function Download() {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d="M8 2v8M4.5 6.8 8 10.2l3.5-3.4M2.5 11v2.5h11V11" {...line} strokeWidth={1.4} />
    </svg>
  );
}

export function Close() {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d="M4 4l8 8M12 4l-8 8" {...line} />
    </svg>
  );
}

export function Sun() {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true">
      <circle cx="8" cy="8" r="3" {...line} />
      <path d="M8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M3 13l1-1M12 4l1-1" {...line} />
    </svg>
  );
}

export function Moon() {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d="M13.5 9.6A6 6 0 0 1 6.4 2.5a6 6 0 1 0 7.1 7.1Z" {...line} />
    </svg>
  );
}
