/** The documentation of `docs/` as pages below /docs of every node; `npm run build` runs it, with the pages of web/. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import highlight from '@11ty/eleventy-plugin-syntaxhighlight';
import { markdown } from './markdown.mjs';
import { contentsOf, navigation, pageUrl, sectionsForSearch, titleOf } from './pages.mjs';

const project = fileURLToPath(new URL('..', import.meta.url));
const read = (...path) => readFileSync(join(project, ...path), 'utf8');

/** The hub's own tokens and header, so that a change there is one here; then what only prose needs. */
const STYLES = ['tokens', 'base', 'page', 'controls'].map((name) => `web/src/styles/${name}.css`);

/** Files beside docs/ that are pages too. */
const ROOT_PAGES = {
  'SECURITY.md': ['security-policy', { section: 'Run', order: 7 }],
  'CHANGELOG.md': ['changelog', { section: 'Understand', order: 10 }],
};

export default function configure(eleventy) {
  const docs = join(project, 'docs');
  eleventy.setQuietMode(true);
  eleventy.addPlugin(highlight, { preAttributes: { tabindex: 0 } });
  const names = Object.fromEntries(Object.entries(ROOT_PAGES).map(([file, [name]]) => [file, name]));
  eleventy.setLibrary('md', markdown(docs, names));
  eleventy.addGlobalData('layout', 'page.njk');
  eleventy.addGlobalData(
    'permalink',
    () =>
      ({ page }) =>
        pageUrl(page.fileSlug).file,
  );
  eleventy.addGlobalData('version', JSON.parse(read('package.json')).version);
  eleventy.addGlobalData('hubPages', hubPages());
  for (const [file, [name, data]] of Object.entries(ROOT_PAGES)) {
    if (existsSync(join(project, file))) eleventy.addTemplate(`${name}.md`, read(file), data);
  }
  eleventy.addCollection('sections', (all) => navigation(all.getAll()));
  eleventy.addFilter('title', (page) => titleOf(page.rawInput));
  eleventy.addFilter('contents', contentsOf);

  eleventy.on('eleventy.after', ({ directories, results }) => {
    const assets = join(directories.output, 'assets');
    mkdirSync(assets, { recursive: true });
    writeFileSync(join(assets, 'site.css'), [...STYLES, 'site/site.css'].map((path) => read(path)).join('\n'));
    writeFileSync(join(assets, 'site.js'), read('site/site.js'));
    const entries = results.flatMap(({ url, content }) => sectionsForSearch(url, content));
    writeFileSync(join(assets, 'search.json'), JSON.stringify(entries));
  });

  return {
    dir: { input: 'docs', includes: '../site' },
    templateFormats: ['md'],
    // Braces in prose and code are what they are.
    markdownTemplateEngine: false,
  };
}

/** The other pages of a node, from where those list each other. */
function hubPages() {
  const pages = [...read('web/src/pages.ts').matchAll(/\{ path: '([^']+)', label: '([^']+)' \}/g)];
  if (pages.length === 0) throw new Error('site: found no pages in web/src/pages.ts');
  return pages.map(([, path, label]) => ({ path, label }));
}
