import { App } from './app.js';
import { drawPage } from './draw.js';
import { roomOf } from './rooms/room-path.js';
import { RoomPage } from './rooms/room-page.js';
import './styles/exports.css';
import './styles/rooms.css';

const room = roomOf(location.pathname);
drawPage(room === undefined ? <App /> : <RoomPage room={room} />);
