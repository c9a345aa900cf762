/** From the inbox into `respond.ts`: rows that are on disk and have not been through it, oldest first, also those of before a crash. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Signal } from '../core/signal.ts';
import { isUnavailable } from '../errors.ts';
import type { Responder } from '../respond.ts';
import type { Inbox } from '../store/inbox.ts';
import { type CallbackSignal, parseCallback } from './callback.ts';

const AT_ONCE = 200;
/** What is stored must be decided on also when nothing new arrives: a disk that was full is tried again. */
const TRY_AGAIN_MS = 2_000;

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

  async function take(): Promise<void> {
    const rows = await inbox.pending(AT_ONCE);
    await Promise.all(
      rows.map(async (row) => {
        const parsed = parseCallback(row.airflow, row.webhookId, JSON.parse(row.body));
        if (parsed.shape === 'unknown') return inbox.setAside(row.n, parsed.why);
        if (parsed.shape === 'noted' || parsed.shape === 'broken_file') onNoted(row.airflow, parsed.what);
        if (parsed.shape === 'broken_file') onBrokenFile(row.airflow);
        if (parsed.shape !== 'known') return inbox.finish(row.n);
        await responder.respondTo(row.n, { type: 'signal', signal: await complete(toSignal(parsed.signal)) });
      }),
    );
    again ||= rows.length === AT_ONCE;
  }

  return {
    wake() {
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
    },
  };
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
