import type { BrowserContext, CDPSession, Page } from 'playwright-core';
import { PollcastError } from '../errors.js';
import { sleep, type Clock } from '../kernel/clock.js';
import type { Logger } from '../kernel/log.js';
import { forbidden, type Addresses } from './addresses.js';
import { killTree, memoryOf } from './mark.js';
import type { Picture } from './pacer.js';
import { readPacket, type HubEvent } from './packets.js';

export interface BrowserSettings {
  readonly chromium: string;
  /** Its whole environment, with the mark. */
  readonly mark: Readonly<Record<string, string>>;
  /** Its profile, which nobody else uses. */
  readonly profile: string;
  readonly addresses: Addresses;
  /** Lets it into the hub: see `src/access/tickets.ts`. */
  readonly cookie: { readonly name: string; readonly value: string };
  readonly size: { readonly width: number; readonly height: number };
  readonly sandbox: boolean;
  readonly framesPerSecond: number;
  readonly memoryBytes: number;
  readonly heartbeatMs: number;
  readonly deadlineMs: number;
  /** Finds its pid by its mark; `null` where nothing tells. */
  findPid(): number | null;
  readonly clock: Clock;
  readonly log: Logger;
}

export type BrowserFault = 'browser-crash' | 'browser-hung' | 'browser-memory';

/** How long the browser may take to be there, and the page to answer. */
const LAUNCH_MS = 20_000;
const LOAD_MS = 20_000;
const JPEG_QUALITY = 75;

/**
 * A real, headless Chromium with one page, which is minded from here: over a pipe, so that it ends with this process however
 * that ends. Its crash, its hanging and its growing past a limit end in `fault`; then it is gone, with all its processes.
 */
export class RecorderBrowser {
  readonly #over = new AbortController();
  #pid: number | null = null;
  #session: CDPSession | null = null;
  #onPicture: (picture: Picture) => void = () => undefined;
  #onEvent: (event: HubEvent) => void = () => undefined;
  #faulted!: (fault: BrowserFault) => void;
  /** Settles when it cannot go on; stays open when it is closed in order. */
  readonly fault: Promise<BrowserFault>;

  private constructor(
    private readonly settings: BrowserSettings,
    private readonly context: BrowserContext,
    private readonly page: Page,
  ) {
    this.fault = new Promise((resolve) => (this.#faulted = resolve));
  }

  /** Resolves when it is there, with nothing opened. Rejects with what the browser says about itself. */
  static async launch(settings: BrowserSettings): Promise<RecorderBrowser> {
    const { size, addresses, cookie } = settings;
    // Loaded already, by nodes that record: see `RecorderNode.load`.
    const { chromium } = await import('playwright-core');
    const context = await chromium.launchPersistentContext(settings.profile, {
      executablePath: settings.chromium,
      env: { ...settings.mark },
      viewport: { ...size },
      timeout: LAUNCH_MS,
      chromiumSandbox: settings.sandbox,
      serviceWorkers: 'block',
      acceptDownloads: false,
      // The hub ends it itself, in order.
      handleSIGINT: false,
      handleSIGTERM: false,
      handleSIGHUP: false,
      args: argumentsOf(addresses),
    });
    const page = context.pages()[0] ?? (await context.newPage());
    const browser = new RecorderBrowser(settings, context, page);
    try {
      await browser.#guard();
      await context.addCookies([{ ...cookie, url: addresses.hub, httpOnly: true, sameSite: 'Strict' }]);
      browser.#mind();
    } catch (error) {
      await browser.close();
      throw error;
    }
    return browser;
  }

  get pid(): number | null {
    return this.#pid;
  }

  onEvent(listener: (event: HubEvent) => void): void {
    this.#onEvent = listener;
  }

  /** @throws PollcastError `FORBIDDEN` when it leads elsewhere, `UNAVAILABLE` when nothing is shown */
  async open(address: string): Promise<void> {
    let refused: string | null = null;
    const note = (url: string): void => void (refused ??= url);
    this.#onRefused = note;
    try {
      await this.page.goto(address, { waitUntil: 'load', timeout: LOAD_MS });
    } catch (error) {
      if (refused !== null) throw forbidden(refused);
      throw new PollcastError('UNAVAILABLE', 'The page could not be opened by the recorder.', undefined, {
        cause: error,
      });
    } finally {
      this.#onRefused = () => undefined;
    }
  }

  /** Pictures of the page from now on, whenever it changes; the first at once. */
  async watch(listener: (picture: Picture) => void): Promise<void> {
    this.#onPicture = listener;
    const { width, height } = this.settings.size;
    const session = this.#session as CDPSession;
    session.on('Page.screencastFrame', ({ data, metadata, sessionId }) => {
      const { clock } = this.settings;
      // When it was shown, not when it arrived: on this process's own clock, whatever the wall clock does.
      const shown = metadata.timestamp === undefined ? clock.now() : metadata.timestamp * 1_000;
      const age = Math.min(1_000, Math.max(0, clock.now() - shown));
      this.#onPicture({ at: clock.monotonic() - age, jpeg: Buffer.from(data, 'base64') });
      // The next one is made only then: no faster than it can be used.
      clock.after(this.#acknowledgeMs, () => {
        session.send('Page.screencastFrameAck', { sessionId }).catch(() => undefined);
      });
    });
    await session.send('Page.startScreencast', {
      format: 'jpeg',
      quality: JPEG_QUALITY,
      maxWidth: width,
      maxHeight: height,
      everyNthFrame: 1,
    });
  }

  /** Ends it with all its processes, whatever state it is in. Idempotent. */
  async close(): Promise<void> {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    await this.#end();
  }

  #onRefused: (url: string) => void = () => undefined;

  get #acknowledgeMs(): number {
    return 500 / this.settings.framesPerSecond;
  }

  /** Everything that the page asks for passes here, redirects too: what is not allowed never leaves the machine. */
  async #guard(): Promise<void> {
    const { addresses } = this.settings;
    await this.context.routeWebSocket(
      (url) => !addresses.allows(url.href),
      (socket) => void socket.close({ code: 1008, reason: 'not an address that may be recorded' }),
    );
    const session = await this.context.newCDPSession(this.page);
    this.#session = session;
    session.on('Fetch.requestPaused', ({ requestId, request }) => {
      const allowed = addresses.allows(request.url);
      if (!allowed) this.#onRefused(request.url);
      const answer = allowed
        ? session.send('Fetch.continueRequest', { requestId })
        : session.send('Fetch.failRequest', { requestId, errorReason: 'BlockedByClient' });
      // The page may have gone on meanwhile.
      answer.catch(() => undefined);
    });
    session.on('Network.webSocketFrameReceived', ({ response }) => {
      const event = response.opcode === 1 ? readPacket(response.payloadData) : null;
      if (event) this.#onEvent(event);
    });
    await session.send('Network.enable');
    await session.send('Fetch.enable', { patterns: [{ urlPattern: '*' }] });
  }

  #mind(): void {
    this.#pid = this.settings.findPid();
    this.context.on('close', () => this.#fail('browser-crash'));
    this.page.on('crash', () => this.#fail('browser-crash'));
    void this.#beat();
  }

  /** Asks the page now and then whether it is alive, and the system how large it is. */
  async #beat(): Promise<void> {
    const { clock, heartbeatMs, deadlineMs, memoryBytes } = this.settings;
    const { signal } = this.#over;
    for (;;) {
      await sleep(clock, heartbeatMs, signal);
      if (signal.aborted) return;
      if (this.#pid !== null && memoryOf(this.#pid) > memoryBytes) return this.#fail('browser-memory');
      const late = new AbortController();
      const answered = (this.#session as CDPSession)
        .send('Runtime.evaluate', { expression: '1', returnByValue: true })
        .then(
          () => true,
          () => true, // That it is gone is told elsewhere, and sooner.
        );
      const alive = await Promise.race([answered, sleep(clock, deadlineMs, late.signal).then(() => false)]);
      late.abort();
      if (signal.aborted) return;
      if (!alive) return this.#fail('browser-hung');
    }
  }

  #fail(fault: BrowserFault): void {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    this.settings.log.warn({ fault, pid: this.#pid }, 'the browser of a recording is ended');
    void this.#end().then(() => this.#faulted(fault));
  }

  async #end(): Promise<void> {
    // First by force: one that hangs does not take a word, and one in order has nothing to save.
    if (this.#pid !== null) killTree(this.#pid);
    try {
      await this.context.close();
    } catch {
      // It was gone already.
    }
  }
}

function argumentsOf({ hosts }: Addresses): string[] {
  const only = hosts && `MAP * ~NOTFOUND , ${hosts.map((host) => `EXCLUDE ${host.replace(/[[\]]/g, '')}`).join(' , ')}`;
  return [
    '--disable-dev-shm-usage',
    '--block-new-web-contents',
    '--mute-audio',
    '--hide-scrollbars',
    // All frames of the page are then under the one guard.
    '--disable-site-isolation-trials',
    ...(only === null ? [] : [`--host-resolver-rules=${only}`]),
  ];
}
