import { readFileSync } from 'node:fs';
import { defineConfig, type HtmlTagDescriptor, type Plugin } from 'vite';

const here = import.meta.dirname;

/** A page of its own for each name: `/` is the dashboard. The hub serves what is built here. */
const PAGES = {
  console: `${here}/console.html`,
  dashboard: `${here}/index.html`,
  recordings: `${here}/recordings.html`,
  reference: `${here}/reference.html`,
  rooms: `${here}/rooms.html`,
  rows: `${here}/rows.html`,
  watch: `${here}/watch.html`,
};

/** What every page has in its head, beside a title and a description of its own. */
const HEAD: HtmlTagDescriptor[] = [
  { tag: 'meta', attrs: { charset: 'utf-8' } },
  { tag: 'meta', attrs: { name: 'viewport', content: 'width=device-width, initial-scale=1' } },
  { tag: 'meta', attrs: { name: 'color-scheme', content: 'light dark' } },
  { tag: 'link', attrs: { rel: 'icon', href: '/favicon.svg', type: 'image/svg+xml' } },
  // Before anything is drawn, and no module: the page must not show the other colours first.
  { tag: 'script', attrs: { src: '/theme.js' } },
];
const head: Plugin = { name: 'head', transformIndexHtml: () => HEAD };

/** What a page says it was built with; the hub tells it when another one is rolled out. */
const { version } = JSON.parse(readFileSync(`${here}/../package.json`, 'utf8')) as { version: string };

/** `npx vite web` beside a hub: the page reloads as it is edited and talks to that hub. */
const hub = process.env.POLLCAST_URL ?? 'http://127.0.0.1:3000';

export default defineConfig({
  root: here,
  plugins: [head],
  define: { __POLLCAST_VERSION__: JSON.stringify(version) },
  build: {
    outDir: `${here}/../dist/web`,
    emptyOutDir: true,
    target: 'es2022',
    rolldownOptions: { input: PAGES },
    // The hub's content policy allows its own origin only, no data: scripts or fonts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    host: '127.0.0.1',
    proxy: { '/api': hub, '/socket.io': { target: hub, ws: true } },
  },
});
