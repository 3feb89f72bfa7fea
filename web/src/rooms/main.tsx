import { drawPage } from '../draw.js';
import { Lobby } from './lobby.js';
import '../styles/rooms.css';

drawPage(<Lobby />);
