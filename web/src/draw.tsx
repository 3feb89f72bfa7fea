/** Every page begins the same way: one connection to the hub, and the styles that all pages share. */
import { StrictMode, type ReactNode } from 'react';
import { createRoot } from 'react-dom/client';
import { createHub, type HubOptions } from '../../client/index.js';
import { HubProvider } from '../../client/react.js';
import './styles/tokens.css';
import './styles/base.css';
import './styles/page.css';
import './styles/panel.css';
import './styles/views.css';
import './styles/controls.css';

export function drawPage(page: ReactNode, options?: HubOptions): void {
  const root = document.getElementById('page');
  if (root === null) throw new Error('the page has no element with the id `page` to draw into.');
  createRoot(root).render(
    <StrictMode>
      <HubProvider hub={createHub(undefined, { version: __POLLCAST_VERSION__, ...options })}>{page}</HubProvider>
    </StrictMode>,
  );
}
