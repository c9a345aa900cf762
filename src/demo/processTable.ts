import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** One process of this machine; `mark` tells it from a later process with the same id. */
export interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly mark: string;
}

/** All processes: from /proc where there is one (slim images have no `ps`), else from `ps`. Zombies are left out: they are over. */
export function processTable(): ReadonlyMap<number, ProcessRow> {
  const rows = process.platform === 'linux' ? fromProc() : fromPs();
  return new Map(rows.map((row) => [row.pid, row]));
}

/** When the process with this id was started, as a text to compare; null when there is none. */
export function markOf(pid: number): string | null {
  return processTable().get(pid)?.mark ?? null;
}

function fromProc(): ProcessRow[] {
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        return parseStat(Number(name), readFileSync(`/proc/${name}/stat`, 'utf8'), boot);
      } catch {
        return []; // ended between the listing and the reading
      }
    });
}

function parseStat(pid: number, stat: string, boot: string): ProcessRow[] {
  // The name in parentheses may hold blanks and parentheses itself, so the fields are counted from the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, parent, group] = fields;
  if (state === 'Z' || state === 'X') return [];
  return [{ pid, parent: Number(parent), group: Number(group), mark: `${boot}:${fields[19]}` }];
}

function fromPs(): ProcessRow[] {
  const text = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,pgid=,stat=,lstart='], { encoding: 'utf8' });
  return text.split('\n').flatMap((line) => {
    const [pid, parent, group, state, ...started] = line.trim().split(/\s+/);
    if (!pid || state?.startsWith('Z')) return [];
    return [{ pid: Number(pid), parent: Number(parent), group: Number(group), mark: started.join(' ') }];
  });
}
