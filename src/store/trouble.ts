/** What an error of the disk or of the file means for everybody outside the store, who never learns SQLite's own words. */
import { statSync } from 'node:fs';
import { FiredamperError, unavailable } from '../errors.ts';

type Trouble = 'passing' | 'fatal';

/**
 * After these nothing that is written is to be believed: a failed fsync may have dropped the pages that it was asked to keep, and the next fsync would
 * say that all is well.
 */
const FATAL = /^SQLITE_(CORRUPT|NOTADB|READONLY_DBMOVED|IOERR_(FSYNC|DIR_FSYNC|READ|SHORT_READ|CORRUPTFS|DATA|TRUNCATE|SHMMAP))/;
/** Nothing was stored, and later something may be: no room, no permission, somebody else's lock. */
const PASSING = /^SQLITE_(FULL|BUSY|LOCKED|READONLY|CANTOPEN|NOMEM|PROTOCOL|IOERR)/;

/** null: not the disk's doing, the row's own or a bug. */
function troubleOf(error: unknown): Trouble | null {
  const code = codeOf(error);
  if (FATAL.test(code)) return 'fatal';
  return PASSING.test(code) || /^(ENOSPC|EROFS|EDQUOT|EACCES|EIO)$/.test(code) ? 'passing' : null;
}

/** What people read: the file, what is wrong, and what becomes of it. */
function explain(error: unknown, path: string, trouble: Trouble): FiredamperError {
  const what = `${path}: ${WORDS[baseOf(codeOf(error))] ?? 'it cannot be written'} (${codeOf(error)}: ${messageOf(error)})`;
  return trouble === 'fatal'
    ? unavailable(`${what}. What is written from now on cannot be trusted: nothing more is accepted, the program ends`)
    : unavailable(`${what}; nothing was stored`);
}

/** Two processes must never act on one database: whoever was started last has it, and the other one ends. */
export class Superseded extends FiredamperError {
  constructor(message: string) {
    super('unavailable', message);
  }
}

interface Watched {
  stillThere(): void;
  /** How many rows have been changed so far. */
  changes(): number;
  onFatal(error: FiredamperError): void;
}

/** Stands around every transaction: the disk's errors leave in our words, and after a fatal one nothing is tried any more. */
export function createGuard(path: string, { stillThere, changes, onFatal }: Watched) {
  let trouble: string | null = null;
  let broken: FiredamperError | null = null;
  const giveUp = (said: FiredamperError): void => {
    broken = said;
    onFatal(said);
  };
  const told = (error: unknown): unknown => {
    const kind = error instanceof Superseded ? 'fatal' : troubleOf(error);
    if (kind === null) return error;
    const said = error instanceof Superseded ? error : explain(error, path, kind);
    trouble = said.message;
    if (kind === 'fatal') giveUp(said);
    return said;
  };
  return {
    trouble: () => trouble,
    run: async <T>(work: () => Promise<T>): Promise<T> => {
      if (broken) throw broken;
      try {
        stillThere();
        const before = trouble === null ? 0 : changes();
        const result = await work();
        // Reading works on a full disk as well: only something written proves that it is over.
        if (trouble !== null && changes() > before) trouble = null;
        return result;
      } catch (error) {
        throw told(error);
      }
    },
  };
}

/** Before the program runs there is nobody to wait for better times: every error of the file ends the start, in words. */
export function explainStart(error: unknown, path: string): unknown {
  if (error instanceof FiredamperError) return error;
  if (error instanceof TypeError && /directory/.test(error.message))
    return unavailable(`${path}: there is no such folder; make it, or name another one as database in the configuration`);
  const code = codeOf(error);
  if (!/^(SQLITE_|E[A-Z]+$)/.test(code)) return error;
  return unavailable(`${path}: ${WORDS[baseOf(code)] ?? 'it cannot be opened'} (${code}: ${messageOf(error)})`);
}

/** A file that was moved, deleted or replaced while it is open goes on taking rows that nobody would ever find again. */
export function watchFile(path: string): () => void {
  const opened = statSync(path).ino;
  return () => {
    if (statSync(path, { throwIfNoEntry: false })?.ino === opened) return;
    throw Object.assign(new Error('it is not the file that was opened'), { code: 'SQLITE_READONLY_DBMOVED' });
  };
}

const WORDS: Readonly<Record<string, string>> = {
  FULL: 'the disk is full',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk is full',
  BUSY: 'somebody else holds its lock',
  LOCKED: 'somebody else holds its lock',
  READONLY: 'it may not be written',
  READONLY_DBMOVED: 'it was moved, deleted or replaced while it was open',
  EROFS: 'it may not be written',
  EACCES: 'it may not be written',
  CANTOPEN: 'it cannot be opened',
  CORRUPT: 'it is damaged',
  NOTADB: 'it is damaged, or not a database at all',
  IOERR: 'the disk answers with errors',
  EIO: 'the disk answers with errors',
};

const codeOf = (error: unknown): string => String((error as { code?: unknown } | null)?.code ?? '');
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const baseOf = (code: string): string => {
  const name = code.replace('SQLITE_', '');
  return name in WORDS ? name : (name.split('_')[0] ?? name);
};
