/** A day of a large site in little time: runs come and go, some fail, people mend them, and the service is watched while it lives with that. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { backupDatabase } from '../../../../src/store/backup.ts';
import { type Child, startChild } from './child.ts';
import type { Sample, Soaked } from './measure.ts';
import { incidentCounts, incidentsEver, type Reader, type Receiver, startReader, startReceiver, TOKEN } from './people.ts';
import { MENDED_AFTER_MS, SECRET, type Site, sendCallback, startSite } from './site.ts';

export interface Soak {
  readonly runs: number;
  readonly realMs: number;
  readonly speed: number;
  /** One of so many runs fails. */
  readonly failEvery: number;
  readonly samples: number;
  /** With what else a day brings: Airflow is away now and then, backups, nights with their deleting, and one restart. */
  readonly eventful: boolean;
  /** The negative control: so many kilobytes are lost for every run, and an open file for every so many runs. */
  readonly leak?: { readonly kbPerRun: number; readonly runsPerFile: number };
  /** Tells how it goes. */
  readonly tell: (line: string) => void;
}

const TICK_MS = 100;
/** Of simulated time. */
const MINUTE_MS = 60_000;
const AWAY_MS = 3 * MINUTE_MS;
/** The end is given up when nothing has ended for so long. */
const SETTLE_MS = 60_000;

/** What happens when so much of the day is over. The restart comes early: memory is judged in each life, and the second one is the long one. */
const DAY: readonly (readonly [share: number, what: 'away' | 'backup' | 'night' | 'restart'])[] = [
  ...([0.1, 0.4, 0.6, 0.8].map((share) => [share, 'away']) as [number, 'away'][]),
  ...([0.15, 0.35, 0.55, 0.75].map((share) => [share, 'backup']) as [number, 'backup'][]),
  [0.25, 'restart'],
  ...([0.3, 0.5, 0.7, 0.9].map((share) => [share, 'night']) as [number, 'night'][]),
];

const configOf = (airflow: string, notices: string): string =>
  JSON.stringify({
    server: { listen: '127.0.0.1:0' },
    database: './firedamper.db',
    airflows: [
      {
        id: 'prod',
        url: airflow,
        auth: { username: 'firedamper', password: 'firedamper' },
        callback_secrets: [`whsec_${SECRET.toString('base64')}`],
        poll_interval: '1s',
      },
    ],
    access: { tokens: [{ name: 'adam', role: 'admin', secret: TOKEN }] },
    // Each failure is an incident of its own: of 200 that are opened again and again nothing is ever over, or deleted at night (seen at 595 failures).
    policy: { platform: { mass_failure_dags: 1000 }, monitor: { reopen_within: '5m' } },
    notify: { channels: [{ id: 'team', kind: 'webhook', url: notices }] },
    // A second of a busy machine is a minute here: what is late is not stale.
    intake: { rate_per_minute: 1_000_000, tolerance: '1h' },
  });

export async function soak(options: Soak): Promise<Soaked> {
  const folder = mkdtempSync(join(tmpdir(), 'fd-soak-'));
  const clock = { startAt: Date.parse('2026-11-21T00:00:00Z'), realStart: Date.now(), speed: options.speed };
  const now = () => clock.startAt + (Date.now() - clock.realStart) * clock.speed;
  const [site, receiver] = [await startSite(now), await startReceiver()];
  // A quarter of what is lived: what is deleted at night is some of it, and not all.
  const keepMs = (options.realMs * options.speed) / 4;
  const start = { folder, config: configOf(site.fake.url, receiver.url), keepMs, ...clock };
  const life = new Life(options, { site, now, folder, start: () => startChild(start) });
  try {
    return await life.live(receiver);
  } finally {
    life.kill();
    await receiver.close();
    await site.fake.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Around {
  readonly site: Site;
  readonly now: () => number;
  readonly folder: string;
  readonly start: () => Promise<Child>;
}

class Life {
  readonly #options: Soak;
  readonly #around: Around;
  readonly #samples: Sample[] = [];
  readonly #errors: string[] = [];
  #child: Child | null = null;
  #startedAt = 0;
  #lives = 0;
  #runs = 0;
  #failures = 0;
  #backups = 0;
  #outages = 0;

  constructor(options: Soak, around: Around) {
    this.#options = options;
    this.#around = around;
  }

  kill(): void {
    this.#child?.kill();
  }

  async live(receiver: Receiver): Promise<Soaked> {
    this.#startedAt = Date.now();
    await this.#begin();
    const reader = startReader(() => this.#child?.url ?? null);
    const ahead = this.#options.eventful ? [...DAY].sort(([a], [b]) => a - b) : [];
    while (this.#runs < this.#options.runs) {
      this.#makeRuns();
      this.#around.site.mend(this.#around.now());
      this.#around.site.forget(this.#around.now());
      while (this.#runs >= (ahead[0]?.[0] ?? 1) * this.#options.runs && ahead.length > 0) await this.#happens(ahead.shift()?.[1]);
      if (this.#runs >= ((this.#samples.length + 1) * this.#options.runs) / this.#options.samples) await this.#sample();
      await pause(TICK_MS);
    }
    return this.#end(reader, receiver);
  }

  get #service(): Child {
    if (this.#child === null) throw new Error('the service is not there');
    return this.#child;
  }

  async #begin(): Promise<void> {
    this.#child = await this.#around.start();
    this.#lives++;
  }

  #makeRuns(): void {
    const { runs, realMs, failEvery, leak } = this.#options;
    const due = Math.min(runs, Math.floor(((Date.now() - this.#startedAt) / realMs) * runs));
    if (leak !== undefined) {
      const files = Math.floor(due / leak.runsPerFile) - Math.floor(this.#runs / leak.runsPerFile);
      this.#service.leak({ kilobytes: (due - this.#runs) * leak.kbPerRun, files });
    }
    for (; this.#runs < due; this.#runs++) {
      const at = this.#around.now();
      const failed = this.#around.site.add(this.#runs, this.#runs % failEvery === 0, at);
      if (failed === null) continue;
      this.#failures++;
      // One that does not come through is found by the poll.
      void sendCallback(this.#service.url, failed, at).catch(() => undefined);
    }
  }

  async #happens(what: (typeof DAY)[number][1] | undefined): Promise<void> {
    const { site, folder } = this.#around;
    this.#options.tell(`${this.#runs} runs: ${what}`);
    if (what === 'away') {
      site.away(true);
      setTimeout(() => site.away(false), AWAY_MS / this.#options.speed);
      this.#outages++;
    } else if (what === 'night') {
      if ((await this.#service.night()) !== 1) this.#errors.push('there is another number of jobs at night than one');
    } else if (what === 'backup') {
      const copies = join(folder, 'copies');
      mkdirSync(copies, { recursive: true });
      backupDatabase(join(folder, 'firedamper.db'), join(copies, `${++this.#backups}.db`), new Date());
      rmSync(copies, { recursive: true });
    } else if (what === 'restart') {
      await this.#close();
      await this.#begin();
    }
  }

  async #close(): Promise<void> {
    const ending = this.#service;
    this.#child = null;
    await ending.close();
  }

  async #sample(): Promise<void> {
    const [runs, failures, life] = [this.#runs, this.#failures, this.#lives];
    const held = await this.#service.held();
    const { open } = await incidentCounts(this.#service.url);
    this.#samples.push({ runs, failures, life, open, ...held });
    this.#options.tell(`${runs} runs, ${failures} failures, ${open} open: ${JSON.stringify(held)}`);
  }

  /** The last ones are mended and let go too: nothing stays held. As long as it takes, while it goes on: the machine may do other work. */
  async #settle(url: string): Promise<void> {
    const { site, now } = this.#around;
    let [least, at] = [Number.POSITIVE_INFINITY, Date.now()];
    while (least > 0 && Date.now() - at < SETTLE_MS) {
      await pause(500);
      const left = site.mend(now() + MENDED_AFTER_MS) + (await incidentCounts(url)).open;
      if (left < least) [least, at] = [left, Date.now()];
    }
  }

  async #end(reader: Reader, receiver: Receiver): Promise<Soaked> {
    const { site, now } = this.#around;
    const { url } = this.#service;
    if (this.#options.leak === undefined) await this.#settle(url);
    await reader.stop();
    site.forget(now());
    const [ever, { all, open }] = [await incidentsEver(url), await incidentCounts(url)];
    const stillPaused = site.paused();
    await this.#close();
    // Written by service.ts.
    const log = join(this.#around.folder, 'errors.log');
    const logged = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : [];
    return {
      ...{ samples: this.#samples, runs: this.#runs, failures: this.#failures, incidents: ever, forgotten: ever - all },
      ...{ pages: reader.pages(), notices: receiver.notices(), backups: this.#backups, outages: this.#outages },
      ...{ stillOpen: open, stillPaused, effects: site.effects, errors: [...this.#errors, ...logged, ...reader.failed] },
    };
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
