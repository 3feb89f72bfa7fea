import { App } from './app.js';
import { drawPage } from './draw.js';

drawPage(<App />);
