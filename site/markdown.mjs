/** Markdown as GitHub shows it, made into pages: links between files become links between pages. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import anchor from 'markdown-it-anchor';
import markdownIt from 'markdown-it';
import { pageUrl } from './pages.mjs';

/**
 * @param {string} docs the folder of the files
 * @param {Record<string, string>} others pages that lie beside it: file → name
 */
export function markdown(docs, others) {
  const md = markdownIt({ html: true });
  // The ids that GitHub gives, so that `file.md#heading` leads to the same place here and there.
  md.use(anchor, { level: [2, 3], slugify, permalink: anchor.permalink.headerLink() });
  md.core.ruler.push('links', (state) => state.tokens.forEach((token) => relink(token.children ?? [], docs, others)));
  md.core.ruler.push('corners', (state) => state.tokens.forEach(emptyHeads));
  md.renderer.rules.table_open = () => '<div class="table-scroll" tabindex="0"><table>\n';
  md.renderer.rules.table_close = () => '</table></div>\n';
  const image = md.renderer.rules.image;
  md.renderer.rules.image = (tokens, index, options, env, self) => {
    const token = tokens[index];
    const source = token.attrGet('src');
    if (!source.endsWith('.svg')) return image(tokens, index, options, env, self);
    return picture(readFileSync(join(docs, source), 'utf8'), self.renderInlineAsText(token.children, options, env));
  };
  return md;
}

export function slugify(text) {
  return text
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replace(/\s/g, '-');
}

/**
 * A picture in the page itself, so that its colours are the page's, in the theme that was chosen. Its own style, for
 * where it is shown alone, goes: the content policy forbids inline styles.
 */
function picture(svg, says) {
  const drawing = svg
    .replace(/<\?xml[^>]*\?>|<!--[\s\S]*?-->|<style>[\s\S]*?<\/style>/g, '')
    .replace('<svg ', `<svg class="picture" role="img" aria-label="${markdownIt().utils.escapeHtml(says)}" `)
    // Blank lines would end the paragraph that it stands in.
    .replace(/\n\s*/g, ' ')
    .trim();
  return `<span class="picture-scroll" tabindex="0">${drawing}</span>`;
}

function relink(tokens, docs, others) {
  const open = [];
  for (const token of tokens) {
    if (token.type === 'link_open') {
      open.push(token);
      const href = token.attrGet('href');
      const [, file, hash = ''] = /^(?:\.\.\/|docs\/)?([\w-]+\.md)(#.*)?$/.exec(href) ?? [];
      const name = others[file] ?? (file && existsSync(join(docs, file)) ? file.slice(0, -3) : undefined);
      if (name) token.attrSet('href', `${pageUrl(name).url}${hash}`);
      else if (/^https?:/.test(href)) token.attrSet('rel', 'noopener');
      else if (!href.startsWith('#')) {
        // A file of the project, which a node does not serve: named, not linked.
        token.tag = 'span';
        token.attrs = [['title', `in the project: ${href.replace(/^(\.\.\/)+/, '')}`]];
      }
    } else if (token.type === 'link_close') token.tag = open.pop()?.tag ?? 'a';
  }
}

/** The corner of a table that has row heads heads nothing: it is a cell. */
function emptyHeads(token, index, tokens) {
  if (token.type !== 'th_open' || tokens[index + 1]?.content !== '') return;
  token.tag = 'td';
  tokens[index + 2].tag = 'td';
}
