import { keptToken } from '../console/admin.js';
import { drawPage } from '../draw.js';
import { RowsPage } from './rows-page.js';
import '../styles/console.css';
import '../styles/rows.css';

const token = keptToken();
drawPage(<RowsPage />, token === undefined ? {} : { token });
