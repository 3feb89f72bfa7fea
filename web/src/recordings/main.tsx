import { drawPage } from '../draw.js';
import '../styles/recordings.css';
import { RecordingsPage } from './recordings-page.js';

drawPage(<RecordingsPage />);
