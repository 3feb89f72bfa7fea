import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { createHub } from '../../client/index.js';
import { HubProvider } from '../../client/react.js';
import { App } from './app.js';
import './styles/tokens.css';
import './styles/base.css';
import './styles/page.css';
import './styles/panel.css';
import './styles/views.css';
import './styles/controls.css';

const root = document.getElementById('page');
if (root === null) throw new Error('index.html has no element with the id `page` to draw into.');

createRoot(root).render(
  <StrictMode>
    <HubProvider hub={createHub()}>
      <App />
    </HubProvider>
  </StrictMode>,
);
