/** The pages that a person can go to from any other, in the order in which they are shown. */
export interface PageLink {
  readonly path: string;
  readonly label: string;
}

export const PAGE_LINKS: readonly PageLink[] = [
  { path: '/', label: 'Dashboard' },
  { path: '/rooms', label: 'Rooms' },
  { path: '/rows', label: 'Row workers' },
  { path: '/console', label: 'Console' },
  { path: '/recordings', label: 'Recordings' },
  { path: '/reference', label: 'HTTP API' },
  { path: '/docs', label: 'Docs' },
];

/** The page that an address belongs to: the one with the longest path that begins it. */
export function pageOf(pathname: string): PageLink | undefined {
  const begins = ({ path }: PageLink): boolean =>
    path === '/' ? pathname === '/' : pathname === path || pathname.startsWith(`${path}/`);
  return PAGE_LINKS.filter(begins).sort((a, b) => b.path.length - a.path.length)[0];
}
