import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { conflict, unavailable } from '../errors.ts';
import type { Account } from './command.ts';
import { markOf, type ProcessRow, processTable } from './processTable.ts';

interface Member {
  readonly name: string;
  readonly pid: number;
  readonly mark: string;
  readonly log: string;
  /** How this program wants to be told to end. */
  readonly signal: 'SIGTERM' | 'SIGINT';
}

interface CrewFile {
  readonly owner: { readonly pid: number; readonly mark: string };
  readonly members: readonly Member[];
}

export interface LaunchOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly log: string;
  readonly cwd?: string;
  readonly as?: Account | null;
  readonly signal?: 'SIGTERM' | 'SIGINT';
}

const POLL_MS = 100;

/**
 * Long-running programs, each in a process group of its own, recorded in a file with process id and start time. So they can be
 * ended exactly, with everything they started, even by a later run after this one was killed; and never anything else, because a
 * process id that has meanwhile gone to another program has another start time.
 */
export class Crew {
  static readonly #mine = new Set<Crew>();
  readonly #file: string;
  #members: Member[] = [];

  private constructor(file: string) {
    this.#file = file;
  }

  /** Takes over `file`. What a killed earlier owner left running is ended first; an owner that still lives is a conflict. */
  static async open(file: string): Promise<Crew> {
    const before = read(file);
    if (before) {
      const { pid, mark } = before.owner;
      if (pid !== process.pid && before.members.some(lives) && markOf(pid) === mark) {
        throw conflict(`${dirname(file)} is in use by process ${pid}, which is still running; stop it first`);
      }
    }
    await Crew.stopRecorded(file);
    const crew = new Crew(file);
    Crew.#mine.add(crew);
    return crew;
  }

  /** Ends every crew that this process has opened: for a caller who gives up in the middle of something. */
  static async stopMine(graceMs: number): Promise<void> {
    await Promise.all([...Crew.#mine].map((crew) => crew.stop('all', graceMs)));
  }

  /** Ends whatever `file` records; answers the names of those that still ran. */
  static async stopRecorded(file: string, graceMs = 5_000): Promise<readonly string[]> {
    const members = read(file)?.members ?? [];
    const running = members.filter(lives);
    await endAll(members, graceMs);
    rmSync(file, { force: true });
    return running.map((member) => member.name);
  }

  launch(name: string, options: LaunchOptions): void {
    mkdirSync(dirname(options.log), { recursive: true });
    const out = openSync(options.log, 'a');
    const child = spawn(options.command, options.args, {
      env: options.env,
      ...(options.cwd ? { cwd: options.cwd } : {}),
      ...(options.as ?? {}),
      detached: true,
      stdio: ['ignore', out, out],
    });
    closeSync(out);
    child.on('error', () => {}); // shows as "not running" with its log; nothing else may throw from here
    child.unref();
    if (child.pid === undefined) throw unavailable(`cannot start ${name}: ${options.command}`);
    const mark = markOf(child.pid) ?? 'ended at once';
    this.#members = [
      ...this.#members.filter((member) => member.name !== name),
      { name, pid: child.pid, mark, log: options.log, signal: options.signal ?? 'SIGTERM' },
    ];
    this.#write();
  }

  /** Throws with the end of its log when a member has ended by itself. */
  assertRunning(): void {
    const dead = this.#members.find((member) => !lives(member));
    if (dead) throw unavailable(`${dead.name} ended by itself; the end of ${dead.log}:\n${tail(dead.log)}`);
  }

  running(name: string): boolean {
    return this.#members.some((member) => member.name === name && lives(member));
  }

  /** Ends the named members, or all, with every process below them; whoever has not ended after `graceMs` is killed. */
  async stop(names: readonly string[] | 'all', graceMs: number): Promise<void> {
    const chosen = this.#members.filter((member) => names === 'all' || names.includes(member.name));
    await endAll(chosen, graceMs);
    this.#members = this.#members.filter((member) => !chosen.includes(member));
    this.#write();
  }

  #write(): void {
    if (this.#members.length === 0) {
      rmSync(this.#file, { force: true });
      return;
    }
    const content: CrewFile = { owner: { pid: process.pid, mark: markOf(process.pid) ?? '' }, members: this.#members };
    const next = join(dirname(this.#file), `.crew-${process.pid}`);
    writeFileSync(next, JSON.stringify(content, null, 2));
    renameSync(next, this.#file); // a reader never sees half a file
  }
}

function read(file: string): CrewFile | null {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as CrewFile) : null;
}

function lives(member: Member): boolean {
  return markOf(member.pid) === member.mark;
}

async function endAll(members: readonly Member[], graceMs: number): Promise<void> {
  const until = performance.now() + graceMs;
  const known = new Map<number, ProcessRow>();
  collect(members, known);
  for (const member of members) if (lives(member)) send(member.pid, member.signal);
  while (performance.now() < until) {
    collect(members, known); // a program that is ending may still start helpers
    if (survivors(known).length === 0) return;
    await sleep(POLL_MS);
  }
  for (const row of survivors(known)) send(row.pid, 'SIGKILL');
  for (let wait = 0; wait < 20 && survivors(known).length > 0; wait++) await sleep(POLL_MS);
}

/** Adds the members, their process groups and all their descendants (Airflow 2 puts tasks into groups of their own). */
function collect(members: readonly Member[], known: Map<number, ProcessRow>): void {
  const table = processTable();
  const roots = members.filter((member) => {
    const now = table.get(member.pid);
    return !now || now.mark === member.mark; // another program has this id now: then the group is not ours either
  });
  const groups = new Set(roots.map((member) => member.pid));
  for (const row of table.values()) if (groups.has(row.group) || groups.has(row.pid)) known.set(row.pid, row);
  for (let grew = true; grew; ) {
    grew = false;
    for (const row of table.values()) {
      const parent = known.get(row.parent);
      if (parent && table.get(row.parent)?.mark === parent.mark && !known.has(row.pid)) {
        known.set(row.pid, row);
        grew = true;
      }
    }
  }
}

function survivors(known: ReadonlyMap<number, ProcessRow>): ProcessRow[] {
  const table = processTable();
  return [...known.values()].filter((row) => table.get(row.pid)?.mark === row.mark);
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

function tail(log: string): string {
  return existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n').slice(-15).join('\n') : '(no log)';
}
