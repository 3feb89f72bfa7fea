import { drawPage } from '../draw.js';
import '../styles/exports.css';
import '../styles/rooms.css';
import { WatchPage } from './watch.js';

drawPage(<WatchPage />);
