/** What the pages are called, where they lie, and in which order. */

/** Their order in the navigation. A section that is not here comes last; a page without front matter is a feature. */
export const SECTIONS = ['Begin', 'Use', 'Features', 'Run', 'Understand'];
const DEFAULT = { section: 'Features', order: 100 };

/** The page that stands for all of them. */
const FIRST = 'start';

/** Flat: every page lies beside the others, so that links between them need no folder. */
export function pageUrl(name) {
  return name === FIRST ? { file: 'index.html', url: './' } : { file: `${name}.html`, url: name };
}

export function titleOf(markdown) {
  const title = /^# (.+)$/m.exec(markdown)?.[1];
  if (!title) throw new Error('a page of docs/ needs a first heading: # Title');
  return title.replaceAll('`', '');
}

/** @returns {{ name: string, pages: { title: string, url: string, file: string }[] }[]} */
export function navigation(pages) {
  const entries = pages.map(({ data, fileSlug, rawInput }) => ({
    section: data.section ?? DEFAULT.section,
    order: data.order ?? DEFAULT.order,
    title: titleOf(rawInput),
    slug: fileSlug,
    url: pageUrl(fileSlug).url,
  }));
  entries.sort((a, b) => a.order - b.order || a.title.localeCompare(b.title));
  const found = [...new Set(entries.map(({ section }) => section))];
  const place = (section) => (SECTIONS.includes(section) ? SECTIONS.indexOf(section) : SECTIONS.length);
  return found
    .sort((a, b) => place(a) - place(b) || a.localeCompare(b))
    .map((name) => ({ name, pages: entries.filter(({ section }) => section === name) }));
}

const HEADING = /<h([23]) id="([^"]+)"[^>]*>([\s\S]*?)<\/h\1>/g;
const plain = (html) =>
  html
    .replace(/<[^>]+>/g, ' ')
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&amp;/g, '&')
    .replace(/\s+/g, ' ')
    .trim();

/** The headings of a page, for the list beside it. */
export function contentsOf(html) {
  return [...html.matchAll(HEADING)]
    .filter(([, level]) => level === '2')
    .map(([, , id, text]) => ({ id, text: plain(text) }));
}

/** Every page in pieces of one heading each: where a search leads to. */
export function sectionsForSearch(url, html) {
  const article = /<article[^>]*>([\s\S]*)<\/article>/.exec(html)?.[1];
  if (article === undefined) throw new Error(`${url} has no article`);
  const page = plain(/<h1[^>]*>([\s\S]*?)<\/h1>/.exec(article)?.[1] ?? '');
  const name = url.replace(/^\//, '').replace(/\.html$/, '');
  const at = name === '' || name === 'index' ? './' : name;
  const heads = [...article.matchAll(HEADING)];
  const first = { page, heading: '', url: at, text: plain(article.slice(0, heads[0]?.index ?? undefined)) };
  return [
    first,
    ...heads.map((head, n) => ({
      page,
      heading: plain(head[3]),
      url: `${at}#${head[2]}`,
      text: plain(article.slice(head.index + head[0].length, heads[n + 1]?.index ?? undefined)),
    })),
  ];
}
