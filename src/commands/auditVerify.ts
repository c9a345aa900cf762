import type { Config } from '../config.ts';
import { invalid } from '../errors.ts';

interface Head {
  readonly id: number;
  readonly hash: string;
}
interface Report {
  readonly lines: number;
  readonly head: Head | null;
  readonly broken: readonly string[];
}

/** Checks that nobody has changed the history; answers 0 where it is whole. */
export function runAuditVerify(
  config: Config,
  head: string | undefined,
  verify: (database: string, known: Head | null) => Report,
  out: (line: string) => void,
): 0 | 1 {
  const report = verify(config.database, head === undefined ? null : headOf(head));
  for (const line of report.broken) out(`!! ${line}`);
  out(`history  ${report.lines} lines`);
  if (report.head !== null) out(`head     ${report.head.id}:${report.head.hash}`);
  if (report.broken.length > 0) {
    out('changed');
    return 1;
  }
  out(head === undefined ? 'whole, as far as it can be told without a head that was written down elsewhere (--head)' : 'whole');
  return 0;
}

function headOf(text: string): Head {
  const [, id, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (id === undefined || hash === undefined)
    throw invalid('--head: must look like 123:<64 hexadecimal digits>, as this command and the log print it');
  return { id: Number(id), hash };
}
