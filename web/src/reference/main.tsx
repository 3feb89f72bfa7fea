import { drawPage } from '../draw.js';
import { Reference } from './reference.js';
import '../styles/reference.css';

drawPage(<Reference />);
