import { PAGE_LINKS, pageOf } from '../pages.js';

/** The way to the other pages; nothing while there is only one. */
export function PageLinks() {
  if (PAGE_LINKS.length < 2) return null;
  const here = pageOf(location.pathname);
  return (
    <nav className="page-links" aria-label="Pages">
      {PAGE_LINKS.map((link) => (
        <a key={link.path} href={link.path} aria-current={link === here ? 'page' : undefined}>
          {link.label}
        </a>
      ))}
    </nav>
  );
}
