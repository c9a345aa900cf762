/** Which process of an Airflow holds the other end of a connection: told by the kernel, not by the sender. Linux only. */
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { processTable } from '../../src/demo/processTable.ts';

export interface Peer {
  /** In the words of the table: `task`, `scheduler`, `DAG processor`, `API server`, `webserver`, `triggerer`, or what it calls itself. */
  readonly part: string;
  readonly title: string;
}

interface Members {
  readonly members: readonly { readonly name: string; readonly pid: number }[];
}

/** `crewFile` names the programs of this Airflow with their process ids. */
export function peerOf(remotePort: number, localPort: number, crewFile: string): Peer {
  const roots = existsSync(crewFile) ? (JSON.parse(readFileSync(crewFile, 'utf8')) as Members).members : [];
  const pid = ownerOf(inodeOf(remotePort, localPort));
  if (pid === null) return { part: 'not seen', title: '' };
  const title = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  return { part: partOf(pid, title, roots), title };
}

function inodeOf(remotePort: number, localPort: number): string | null {
  const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, '0');
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of readFileSync(file, 'utf8').split('\n')) {
      const cells = line.trim().split(/\s+/);
      if (cells[1]?.endsWith(`:${hex(remotePort)}`) && cells[2]?.endsWith(`:${hex(localPort)}`)) return cells[9] ?? null;
    }
  }
  return null;
}

function ownerOf(inode: string | null): number | null {
  if (inode === null) return null;
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      const holds = readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`);
      if (holds) return Number(pid);
    } catch {
      // ended, or a descriptor was closed, while we looked
    }
  }
  return null;
}

function partOf(pid: number, title: string, roots: Members['members']): string {
  const table = processTable();
  const chain: number[] = [];
  for (let at: number | undefined = pid; at !== undefined && at > 1 && !chain.includes(at); at = table.get(at)?.parent)
    chain.push(at);
  const root = roots.find((member) => chain.includes(member.pid));
  if (root === undefined) return title || 'unknown';
  if (root.name === 'dag-processor' || /DagFileProcessor|dag-processor|dag_processor/.test(title)) return 'DAG processor';
  if (root.name === 'api-server') return 'API server';
  if (root.name !== 'scheduler' || root.pid === pid) return root.name;
  return /task runner|task supervisor|airflow worker|airflow tasks run|supervisor/.test(title) ? 'task' : title;
}
