import { drawPage } from '../draw.js';
import { WatchPage } from './watch.js';

drawPage(<WatchPage />);
