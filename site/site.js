/** What the documentation's pages do beyond being read: the theme, and a search. They are whole without it. */

/** The same memory as the hub's other pages have; theme.js sets it before the first paint. */
const STORED_AS = 'pollcast-theme';
const root = document.documentElement;
const system = matchMedia('(prefers-color-scheme: dark)');
const theme = () => root.dataset.theme ?? (system.matches ? 'dark' : 'light');

const themeSwitch = document.querySelector('.theme-switch');
const nameSwitch = () =>
  themeSwitch.setAttribute('aria-label', `Use the ${theme() === 'dark' ? 'light' : 'dark'} theme`);
themeSwitch.addEventListener('click', () => {
  const other = theme() === 'dark' ? 'light' : 'dark';
  const asSystem = other === (system.matches ? 'dark' : 'light');
  if (asSystem) delete root.dataset.theme;
  else root.dataset.theme = other;
  try {
    if (asSystem) localStorage.removeItem(STORED_AS);
    else localStorage.setItem(STORED_AS, other);
  } catch {
    // Storage may be forbidden; the choice then lasts as long as the page.
  }
  nameSwitch();
});
system.addEventListener('change', nameSwitch);
nameSwitch();
themeSwitch.hidden = false;

const search = document.querySelector('.search');
const field = search.querySelector('input');
const list = search.querySelector('ul');
const status = search.querySelector('[role=status]');
const MOST = 8;
let entries;
let chosen = -1;

/** Fetched when somebody is about to search, once. */
const load = () => (entries ??= fetch(new URL('search.json', import.meta.url)).then((answer) => answer.json()));

/** Every word must be there; words in headings count for more, and the page's name for most. */
function score({ page, heading, text }, words) {
  let total = 0;
  for (const word of words) {
    const found = 8 * page.toLowerCase().includes(word) + 4 * heading.toLowerCase().includes(word);
    const inText = text.toLowerCase().includes(word);
    if (!found && !inText) return 0;
    total += found + inText;
  }
  return total;
}

function option({ page, heading, url, text }, words, index) {
  const item = document.createElement('li');
  item.id = `found-${index}`;
  item.role = 'option';
  item.dataset.url = url;
  const title = document.createElement('strong');
  title.textContent = heading ? `${page} · ${heading}` : page;
  const excerpt = document.createElement('span');
  const at = Math.max(0, text.toLowerCase().indexOf(words[0]) - 40);
  excerpt.textContent = `${at > 0 ? '… ' : ''}${text.slice(at, at + 120)}`;
  item.append(title, excerpt);
  item.addEventListener('pointerdown', (event) => {
    event.preventDefault();
    location.href = url;
    close();
  });
  return item;
}

function close() {
  list.hidden = true;
  chosen = -1;
  field.setAttribute('aria-expanded', 'false');
  field.removeAttribute('aria-activedescendant');
}

function choose(index) {
  const items = [...list.children];
  if (items.length === 0) return;
  chosen = (index + items.length) % items.length;
  items.forEach((item, n) => item.setAttribute('aria-selected', String(n === chosen)));
  items[chosen].scrollIntoView({ block: 'nearest' });
  field.setAttribute('aria-activedescendant', items[chosen].id);
}

async function look() {
  const asked = field.value;
  const words = asked.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) {
    status.textContent = '';
    return close();
  }
  const all = await load();
  // Somebody types on while it is fetched.
  if (field.value !== asked) return;
  const found = all
    .map((entry) => ({ entry, points: score(entry, words) }))
    .filter(({ points }) => points > 0)
    .sort((a, b) => b.points - a.points)
    .slice(0, MOST);
  list.replaceChildren(...found.map(({ entry }, n) => option(entry, words, n)));
  status.textContent = found.length === 0 ? `Nothing found for ${asked}` : `${found.length} found`;
  list.hidden = found.length === 0;
  field.setAttribute('aria-expanded', String(found.length > 0));
  choose(0);
}

field.addEventListener('focus', load);
field.addEventListener('input', look);
field.addEventListener('blur', close);
field.addEventListener('keydown', (event) => {
  if (event.key === 'ArrowDown') choose(chosen + 1);
  else if (event.key === 'ArrowUp') choose(chosen - 1);
  else if (event.key === 'Escape') close();
  else if (event.key === 'Enter' && chosen >= 0) location.href = list.children[chosen].dataset.url;
  else return;
  event.preventDefault();
});
document.addEventListener('keydown', (event) => {
  if (event.key !== '/' || event.target.closest('input, textarea, select')) return;
  event.preventDefault();
  field.focus();
});
search.hidden = false;
