import { drawPage } from '../draw.js';
import '../styles/rooms.css';
import { WatchPage } from './watch.js';

drawPage(<WatchPage />);
