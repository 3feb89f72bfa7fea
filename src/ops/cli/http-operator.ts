import { ERROR_CODES, PollcastError, type WireError } from '../../errors.js';
import type { Operator } from '../operations.js';
import type { NodeRow, ProcessRow, ViewerRow } from '../tables.js';
import type { Cleaned } from '../zombie-hunter.js';
import type { Zombie } from '../zombies.js';

const TIMEOUT_MS = 30_000;

/** An operator's tools by way of a node's admin API. */
export class HttpOperator implements Operator {
  /** @param url the node's address, such as `http://127.0.0.1:3000` */
  constructor(
    private readonly url: string,
    private readonly token: string | undefined,
  ) {}

  nodes(): Promise<NodeRow[]> {
    return this.#ask('GET', 'nodes');
  }

  processes(): Promise<ProcessRow[]> {
    return this.#ask('GET', 'processes');
  }

  viewers(): Promise<ViewerRow[]> {
    return this.#ask('GET', 'viewers');
  }

  zombies(): Promise<Zombie[]> {
    return this.#ask('GET', 'zombies');
  }

  cleanZombies(): Promise<Cleaned[]> {
    return this.#ask('POST', 'zombies/clean');
  }

  async stop(name: string): Promise<void> {
    await this.#ask('DELETE', `processes/${encodeURIComponent(name)}`);
  }

  async move(name: string, to?: string): Promise<string> {
    const path = `processes/${encodeURIComponent(name)}/move`;
    return (await this.#ask<{ node: string }>('POST', path, to === undefined ? {} : { to })).node;
  }

  async cordon(node: string, cordoned: boolean): Promise<void> {
    await this.#ask('POST', `nodes/${encodeURIComponent(node)}/${cordoned ? 'cordon' : 'uncordon'}`);
  }

  async #ask<T>(method: string, path: string, body?: object): Promise<T> {
    const response = await this.#fetch(method, path, body);
    const answer: unknown = await response.json().catch(() => undefined);
    if (response.ok && answer !== undefined) return answer as T;
    throw this.#failure(response, answer);
  }

  async #fetch(method: string, path: string, body?: object): Promise<Response> {
    const headers: Record<string, string> = { accept: 'application/json' };
    if (this.token !== undefined) headers['authorization'] = `Bearer ${this.token}`;
    if (body !== undefined) headers['content-type'] = 'application/json';
    try {
      return await fetch(new URL(`/api/${path}`, this.url), {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: AbortSignal.timeout(TIMEOUT_MS),
        // A token is for this address alone.
        redirect: 'error',
      });
    } catch (error) {
      throw new PollcastError(
        'UNAVAILABLE',
        `no node answers at ${this.url}: start one with \`pollcast start\`, name its address with --url, ` +
          'or set REDIS_URL to ask the cluster itself',
        undefined,
        { cause: error },
      );
    }
  }

  #failure(response: Response, answer: unknown): PollcastError {
    const wire = (answer as { error?: Partial<WireError> } | undefined)?.error;
    if (!wire?.code || !(wire.code in ERROR_CODES)) {
      return new PollcastError(
        'UNAVAILABLE',
        `what answers at ${this.url} (status ${response.status}) is no Pollcast node: name the address of one with --url`,
      );
    }
    const message = wire.message ?? ERROR_CODES[wire.code];
    const advice =
      wire.code === 'UNAUTHENTICATED'
        ? ` ${this.token === undefined ? 'Set ADMIN_TOKEN here to the one of the node.' : 'Is ADMIN_TOKEN here that of the node?'}`
        : '';
    return new PollcastError(wire.code, `${message}${advice}`, wire.details);
  }
}
