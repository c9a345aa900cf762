/** A machine that dies without a warning while callbacks come in: what it had acknowledged, and what of that is not in the standby's copy. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { replicate, restoreReplica } from './litestream.ts';
import { makeProgram, retry } from './program.ts';

/** 50 callbacks a second. */
const APART_MS = 20;

export interface Death {
  /** How often Litestream copies. */
  readonly every: string;
  /** So long callbacks come in before it. */
  readonly afterMs: number;
}

export interface Loss {
  readonly acknowledged: number;
  /** How long before the death each acknowledged callback that is not in the copy was answered, oldest first. */
  readonly lostAgesMs: readonly number[];
  readonly integrity: unknown;
}

export async function dieUnderCallbacks(airflowUrl: string, { every, afterMs }: Death): Promise<Loss> {
  const program = await makeProgram(airflowUrl);
  const other = mkdtempSync(join(tmpdir(), 'fd-standby-'));
  const replica = join(other, 'replica');
  try {
    await program.start();
    const standby = await replicate(program.database, replica, other, every);
    const stream = startCallbacks((id) => program.callback(retry('z', id), id));
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    const diedAt = performance.now();
    await Promise.all([standby.kill(), program.kill()]);
    const acknowledged = await stream.end();
    // Its disk: the database, its log, and what Litestream keeps beside them.
    rmSync(program.folder, { recursive: true, force: true });
    const file = join(other, 'restored.db');
    restoreReplica(replica, file);
    const { there, integrity } = readCopy(file);
    const lost = [...acknowledged].filter(([id]) => !there.has(id));
    const lostAgesMs = lost.map(([, at]) => Math.max(0, diedAt - at)).sort((a, b) => b - a);
    return { acknowledged: acknowledged.size, lostAgesMs, integrity };
  } finally {
    await program.kill();
    for (const folder of [program.folder, other]) rmSync(folder, { recursive: true, force: true });
  }
}

/** At a steady rate, whether or not the one before has been answered; `end` answers when each 202 was here. */
function startCallbacks(send: (id: string) => Promise<number>) {
  const acknowledged = new Map<string, number>();
  const sent: Promise<void>[] = [];
  const timer = setInterval(() => {
    const id = `cb-${sent.length}`;
    const answered = (status: number) => void (status === 202 && acknowledged.set(id, performance.now()));
    // What the death has cut off was not acknowledged.
    sent.push(send(id).then(answered, () => undefined));
  }, APART_MS);
  return {
    end: async () => {
      clearInterval(timer);
      await Promise.all(sent);
      return acknowledged;
    },
  };
}

function readCopy(file: string): { there: ReadonlySet<unknown>; integrity: unknown } {
  const db = new Database(file, { readonly: true });
  try {
    return {
      there: new Set(db.prepare('select webhook_id from inbox').pluck().all()),
      integrity: db.pragma('integrity_check', { simple: true }),
    };
  } finally {
    db.close();
  }
}
