import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import { listening, settingsOf } from './peer.js';

/** A prepared query for every request: what dashboards poll when there is no hub. */
const { databaseUrl, text } = settingsOf<{ databaseUrl: string; text: string }>();
const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 });
pool.on('error', () => undefined);
const server = createServer((_request, response) => {
  pool.query({ name: 'rest', text }).then(
    ({ rows }) => {
      response.setHeader('Content-Type', 'application/json');
      response.end(JSON.stringify(rows));
    },
    () => {
      response.statusCode = 500;
      response.end();
    },
  );
});
server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => listening((server.address() as AddressInfo).port));
