/** Reading the audit log backwards to a known row; the same for both generations. */
import type { AuditAnswer, AuditRow } from '../core/facts.ts';
import type { Calls } from './calls.ts';
import { AirflowError } from './client.ts';
import { pageSize } from './pages.ts';

export interface AuditSource {
  /** The newest row of the whole log, if any. */
  readonly newest: () => Promise<readonly AuditRow[]>;
  /** Newest first. `dagId: null`: rows that do not name one DAG. */
  readonly page: (who: { readonly dagId: string | null }, limit: number, offset: number) => Promise<readonly AuditRow[]>;
  readonly concerns: (row: AuditRow, dagId: string) => boolean;
}

/** More pause-type rows than this for one DAG since our own act: not worth reading further back, a person has to look. */
const mostPages = 20;

export const auditAnswers = (source: AuditSource): Pick<Calls, 'auditCursor' | 'auditRows'> => {
  const since = async (dagId: string | null, afterId: number): Promise<readonly AuditRow[] | null> => {
    const found: AuditRow[] = [];
    for (let page = 0, offset = 0; page < mostPages; page++) {
      const rows = await source.page({ dagId }, pageSize, offset);
      found.push(...rows.filter((row) => row.id > afterId));
      if (rows.length === 0 || rows.some((row) => row.id <= afterId)) return found;
      offset += rows.length;
    }
    return null;
  };
  return {
    auditCursor: () =>
      readable(async () => {
        const [row] = await source.newest();
        return { readable: true, id: row?.id ?? 0 } as const;
      }),
    auditRows: (dagId, afterId) =>
      readable(async (): Promise<AuditAnswer> => {
        const [ofDag, ofMany] = await Promise.all([since(dagId, afterId), since(null, afterId)]);
        if (ofDag === null || ofMany === null)
          return { readable: false, why: 'the audit log has too many pause rows to read back' };
        const byId = new Map([...ofDag, ...ofMany.filter((row) => source.concerns(row, dagId))].map((row) => [row.id, row]));
        return { readable: true, rows: [...byId.values()].sort((a, b) => a.id - b.id) };
      }),
  };
};

/** A missing right is an answer (2.x: Admin only; 3.x with FAB: Admin only); anything else stays an error, to be asked again. */
const readable = async <T>(read: () => Promise<T>): Promise<T | { readonly readable: false; readonly why: string }> => {
  try {
    return await read();
  } catch (error) {
    if (error instanceof AirflowError && (error.kind === 'forbidden' || error.kind === 'unsupported')) {
      return { readable: false, why: 'this account may not read the audit log' };
    }
    throw error;
  }
};
