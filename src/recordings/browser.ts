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
/** One that was made ready for a handover waits for some seconds. */
const MOST_EARLY = 1_000;
/** What it shows meanwhile is kept for so long: as much as the one before may need to finish. */
const KEPT_MS = 8_000;

/**
 * A real, headless Chromium with one page, which is minded from here: over a pipe, so that it ends with this process however
 * that ends. Its crash, its hanging and its growing past a limit end in `fault`; then it is gone, with all its processes.
 */
export class RecorderBrowser {
  readonly #over = new AbortController();
  #pid: number | null = null;
  #session: CDPSession | null = null;
  #onPicture: (picture: Picture) => void = (picture) => this.#keep(picture);
  #kept: Picture[] = [];
  #screencast: Promise<void> | null = null;
  #onEvent: ((event: HubEvent, time: number) => void) | null = null;
  /** What came before anybody listened, with the wall clock: first rows, and who was in a room already. */
  #early: { readonly event: HubEvent; readonly time: number }[] = [];
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
      browser.#session = await browser.#guard(page);
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

  /** `time`: wall clock. What has come since the page was opened is told first. */
  onEvent(listener: (event: HubEvent, time: number) => void): void {
    this.#onEvent = listener;
    for (const { event, time } of this.#early.splice(0)) listener(event, time);
  }

  #tell(event: HubEvent): void {
    const time = this.settings.clock.now();
    if (this.#onEvent) this.#onEvent(event, time);
    else if (this.#early.length < MOST_EARLY) this.#early.push({ event, time });
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
      throw unavailable(error);
    } finally {
      this.#onRefused = () => undefined;
    }
  }

  /** Opens a page of the hub that nobody sees: what it is sent belongs to what is told by `onEvent`. */
  async listen(address: string): Promise<void> {
    const unseen = await this.context.newPage();
    await this.#guard(unseen);
    try {
      await unseen.goto(address, { waitUntil: 'load', timeout: LOAD_MS });
    } catch (error) {
      throw unavailable(error);
    }
    await this.page.bringToFront();
  }

  /** Takes pictures already, and keeps those of the last seconds for whoever watches later. */
  rehearse(): Promise<void> {
    this.#screencast ??= this.#startScreencast();
    return this.#screencast;
  }

  /** Pictures of the page, whenever it changes: those of a rehearsal, then the newest at once. */
  watch(listener: (picture: Picture) => void): Promise<void> {
    this.#onPicture = listener;
    for (const picture of this.#kept.splice(0)) listener(picture);
    return this.rehearse();
  }

  #keep(picture: Picture): void {
    this.#kept.push(picture);
    // The last one before is what was still shown then.
    const first = this.#kept.findLastIndex(({ at }) => at <= picture.at - KEPT_MS);
    if (first > 0) this.#kept.splice(0, first);
  }

  async #startScreencast(): Promise<void> {
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
  async #guard(page: Page): Promise<CDPSession> {
    const { addresses } = this.settings;
    await page.routeWebSocket(
      (url) => !addresses.allows(url.href),
      (socket) => void socket.close({ code: 1008, reason: 'not an address that may be recorded' }),
    );
    const session = await this.context.newCDPSession(page);
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
      if (event) this.#tell(event);
    });
    await session.send('Network.enable');
    await session.send('Fetch.enable', { patterns: [{ urlPattern: '*' }] });
    return session;
  }

  #mind(): void {
    this.#pid = this.settings.findPid();
    this.context.on('close', () => this.#fail('browser-crash'));
    this.page.on('crash', () => this.#fail('browser-crash'));
    void this.#beat();
  }

  /** Asks the page now and then whether it is alive, and the system how large it is. */
  async #beat(): Promise<void> {
    const { clock, heartbeatMs, deadlineMs } = this.settings;
    const { signal } = this.#over;
    for (;;) {
      await sleep(clock, heartbeatMs, signal);
      if (signal.aborted) return;
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
      // One that takes memory faster than it can has no time to answer either.
      if (this.#isTooLarge()) return this.#fail('browser-memory');
      if (!alive) return this.#fail('browser-hung');
    }
  }

  #isTooLarge(): boolean {
    return this.#pid !== null && memoryOf(this.#pid) > this.settings.memoryBytes;
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

function unavailable(cause: unknown): PollcastError {
  return new PollcastError('UNAVAILABLE', 'The page could not be opened by the recorder.', undefined, { cause });
}

function argumentsOf({ origins }: Addresses): string[] {
  return [
    '--disable-dev-shm-usage',
    '--block-new-web-contents',
    '--mute-audio',
    '--hide-scrollbars',
    // All frames of the page are then under the one guard.
    '--disable-site-isolation-trials',
    ...(origins === null ? [] : fenced(origins)),
  ];
}

/** Where there is nothing. */
const NO_PROXY_IS_THERE = 'http://127.0.0.1:1';

/**
 * The guard of the page does not see all: a worker's websocket passes it by. So other hosts have no address, everything but the
 * allowed origins is sent to a proxy that is not there, and nothing goes by UDP, which needs none.
 */
function fenced(origins: readonly URL[]): string[] {
  const hosts = origins.map(({ hostname }) => `EXCLUDE ${hostname.replace(/[[\]]/g, '')}`);
  const direct = origins.map(({ protocol, hostname, port }) => {
    return `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`;
  });
  return [
    `--host-resolver-rules=${['MAP * ~NOTFOUND', ...hosts].join(' , ')}`,
    `--proxy-server=${NO_PROXY_IS_THERE}`,
    // Else this machine's own addresses would need no proxy.
    `--proxy-bypass-list=${['<-loopback>', ...direct].join(';')}`,
    '--force-webrtc-ip-handling-policy=disable_non_proxied_udp',
  ];
}
