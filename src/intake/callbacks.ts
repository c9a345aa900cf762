/** From the inbox into `respond.ts`: rows that are on disk and have not been through it, oldest first, also those of before a crash. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Signal } from '../core/signal.ts';
import { isUnavailable } from '../errors.ts';
import type { Responder } from '../respond.ts';
import type { Inbox, StoredCallback } from '../store/inbox.ts';
import { type CallbackSignal, parseCallback } from './callback.ts';

const AT_ONCE = 200;
/** What is stored must be decided on also when nothing new arrives: a disk that was full is tried again. */
const TRY_AGAIN_MS = 2_000;
/** Of one row, where the store is well: then it is set aside. */
const MOST_TRIES = 5;

export interface CallbackIntake {
  /** Takes up what waits. Cheap and safe to call at any time. */
  wake(): void;
}

interface Deps {
  readonly inbox: Inbox;
  readonly responder: Pick<Responder, 'respondTo'>;
  /** Fills in what the policy needs and the sender did not say; answers the signal as it is where that cannot be read. */
  readonly complete: (signal: Signal) => Promise<Signal>;
  /** A DAG file that cannot be loaded was told of. */
  readonly onBrokenFile: (airflow: string) => void;
  /** Something was understood from which nothing follows: an asset that was updated. */
  readonly onNoted: (airflow: string, what: string) => void;
  readonly onError: (error: unknown, what: string) => void;
}

export function createCallbackIntake({ inbox, responder, complete, onBrokenFile, onNoted, onError }: Deps): CallbackIntake {
  let looking = false;
  let again = false;
  /** How often a row failed for a reason of its own. */
  const failures = new Map<number, number>();

  async function take(): Promise<void> {
    const rows = await inbox.pending(AT_ONCE);
    await Promise.all(rows.map((row) => takeOne(row).catch((error: unknown) => failed(row, error))));
    again ||= rows.length === AT_ONCE;
  }

  async function takeOne(row: StoredCallback): Promise<void> {
    const parsed = parseCallback(row.airflow, row.webhookId, JSON.parse(row.body));
    if (parsed.shape === 'unknown') return inbox.setAside(row.n, parsed.why);
    if (parsed.shape === 'noted' || parsed.shape === 'broken_file') onNoted(row.airflow, parsed.what);
    if (parsed.shape === 'broken_file') onBrokenFile(row.airflow);
    if (parsed.shape !== 'known') return inbox.finish(row.n);
    await responder.respondTo(row.n, { type: 'signal', signal: await complete(toSignal(parsed.signal)) });
    failures.delete(row.n);
  }

  /** A row that nobody can decide must not stand in the way of the others for ever: it goes where people see it, and the poll finds its failure. */
  async function failed(row: StoredCallback, error: unknown): Promise<void> {
    if (isUnavailable(error)) throw error;
    onError(error, `taking up callback ${row.webhookId}`);
    const times = (failures.get(row.n) ?? 0) + 1;
    failures.set(row.n, times);
    if (times < MOST_TRIES) return void setTimeout(wake, TRY_AGAIN_MS).unref();
    failures.delete(row.n);
    await inbox.setAside(row.n, `it could not be decided: ${error instanceof Error ? error.message : String(error)}`);
  }

  function wake(): void {
    again = true;
    if (looking) return;
    looking = true;
    void (async () => {
      while (again) {
        again = false;
        await take().catch(async (error: unknown) => {
          onError(error, 'taking up callbacks');
          if (!isUnavailable(error)) return;
          await pause(TRY_AGAIN_MS, undefined, { ref: false });
          again = true;
        });
      }
      looking = false;
    })();
  }
  return { wake };
}

function toSignal(c: CallbackSignal): Signal {
  const text = c.about ?? (c.exception ? [c.exception.type, c.exception.message].filter(Boolean).join(': ') : c.reason);
  return {
    key: c.dedupeKey,
    airflow: c.airflow,
    kind: c.kind,
    origin: 'callback',
    dagId: c.dagId,
    runId: c.runId,
    taskId: c.taskId,
    mapIndex: c.mapIndex,
    tryNumber: c.tryNumber,
    runType: c.runType,
    logicalDate: c.logicalDate,
    runStart: c.runStart,
    occurredAt: c.occurredAt,
    text,
    logUrl: c.logUrl,
    said: c.said,
  };
}
