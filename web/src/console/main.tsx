import { drawPage } from '../draw.js';
import { keptToken } from './admin.js';
import { Console } from './console.js';
import '../styles/console.css';

const token = keptToken();
drawPage(<Console />, token === undefined ? {} : { token });
