import type { Config } from '../config.ts';

/** What a copy holds, as the store counts it. */
export interface CopyFacts {
  readonly file: string;
  readonly bytes: number;
  readonly schema: number;
  readonly incidents: number;
  readonly openHolds: number;
  readonly callbacks: number;
}

type MakeBackup = (database: string, to: string | undefined, now: Date) => CopyFacts;

/** Copies the database, checks the copy, says what it did; throws where there is no whole copy. */
export function runBackup(
  config: Config,
  to: string | undefined,
  makeBackup: MakeBackup,
  out: (line: string) => void,
  now = () => new Date(),
): 0 {
  const startedAt = now();
  const copy = makeBackup(config.database, to, startedAt);
  out(`copied    ${config.database}`);
  out(`to        ${copy.file}`);
  out(`contents  ${contentsOf(copy)}`);
  out('checked   integrity and references are whole, and it is on disk');
  out(`took      ${((now().getTime() - startedAt.getTime()) / 1000).toFixed(1)} s`);
  out('');
  out(`firedamper restore ${copy.file} puts it back (service stopped).`);
  return 0;
}

export const contentsOf = (copy: CopyFacts): string =>
  `${copy.incidents} incidents, ${copy.openHolds} open holds, ${copy.callbacks} callbacks; ${copy.bytes} bytes, schema ${copy.schema}`;
