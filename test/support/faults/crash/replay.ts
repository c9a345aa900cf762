/**
 * A power cut without hardware: the running program's own system calls are written down, and the disk is rebuilt as it may look when the power goes at
 * any instant. What was synced is there; of what was not, nothing, or any part, or any sector of 512 bytes. Creating, renaming and deleting a
 * file are taken for durable: SQLite syncs the folder, and a deleted rollback journal that comes back exists only before the first callback.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { readRows } from './rows.ts';

export const TRACED = 'pwrite64,write,writev,fsync,fdatasync,ftruncate,unlink,rename';
export const tracer = (file: string): string[] => [
  ...['strace', '-f', '--seccomp-bpf', '-qq', '-y', '-xx', '-s', '300000', '-o', file, '-e', `trace=${TRACED}`],
];

type Change =
  | { readonly kind: 'write'; readonly file: string; readonly data: Buffer; readonly at: number }
  | { readonly kind: 'truncate'; readonly file: string; readonly length: number };
type Op =
  | Change
  | { readonly kind: 'sync' | 'unlink'; readonly file: string }
  | { readonly kind: 'ack'; readonly ids: readonly string[] };

/** Only the database and its log: they are what is rebuilt. */
export function readTrace(file: string, database: string): Op[] {
  const wanted = new Set([database, `${database}-wal`]);
  return joined(readFileSync(file, 'latin1').split('\n'))
    .map(parse)
    .filter((op): op is Op => op !== null && (op.kind === 'ack' || wanted.has(op.file)));
}

/** A call that another thread interrupts is told in two lines; it counts where it ends. */
function joined(lines: readonly string[]): string[] {
  const open = new Map<string, string>();
  return lines.flatMap((line) => {
    const pid = line.slice(0, line.indexOf(' '));
    if (line.endsWith('<unfinished ...>')) {
      open.set(pid, line.slice(0, -'<unfinished ...>'.length));
      return [];
    }
    const rest = /<\.\.\. \w+ resumed>(.*)$/.exec(line)?.[1];
    return rest === undefined ? [line] : [`${open.get(pid) ?? ''}${rest}`];
  });
}

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll('\\x', ''), 'hex');

function parse(line: string): Op | null {
  const found = /^\d+\s+(\w+)\((.*)\)\s+= (-?\d+|\?)/.exec(line);
  if (found === null) return null;
  const [, call = '', args = '', result = ''] = found;
  // `?`: killed in the middle of it. A write may have been done: an answer that the sender had read was missing here once. Anything else counts as not done.
  if (result === '?' ? !/write/.test(call) : Number(result) < 0) return null;
  const file = bytes(/^\d+<([^>]*)>/.exec(args)?.[1] ?? /^"([^"]*)"/.exec(args)?.[1] ?? '').toString();
  if (call === 'fsync' || call === 'fdatasync') return { kind: 'sync', file };
  if (call === 'unlink') return { kind: 'unlink', file };
  if (call === 'ftruncate') return { kind: 'truncate', file, length: Number(args.split(', ').at(-1)) };
  const data = bytes([...args.matchAll(/"([^"]*)"/g)].map((m) => m[1]).join(''));
  if (call === 'pwrite64') return { kind: 'write', file, data, at: Number(args.split(', ').at(-1)) };
  return file.startsWith('socket:') ? acknowledged(data.toString('latin1')) : null;
}

function acknowledged(text: string): Op | null {
  if (!text.startsWith('HTTP/1.1 202')) return null;
  return { kind: 'ack', ids: [...text.matchAll(/"id":"([^"]+)"/g)].map((m) => m[1] ?? '') };
}

export interface Cuts {
  readonly images: number;
  /** Images in which something acknowledged is missing. */
  readonly lossy: number;
  readonly worst: number;
  readonly damaged: number;
  readonly acknowledged: number;
}

/** `chance` gives 0 to 1; the same chance gives the same images. */
export function cutPower(ops: readonly Op[], database: string, images: number, chance: () => number): Cuts {
  const first = ops.findIndex((op) => op.kind === 'ack');
  if (first < 0) throw new Error('nothing was acknowledged in this trace');
  const instants = Array.from({ length: images }, () => first + 1 + Math.floor(chance() * (ops.length - first))).sort(
    (a, b) => a - b,
  );
  const folder = mkdtempSync(join(process.env.FIREDAMPER_FAST_DISK ?? tmpdir(), 'fd-cut-'));
  const disk = new Disk();
  const acked = new Set<string>();
  const sum = { images, lossy: 0, worst: 0, damaged: 0, acknowledged: 0 };
  let done = 0;
  try {
    for (const instant of instants) {
      for (; done < instant && done < ops.length; done++) {
        const op = ops[done] as Op;
        if (op.kind === 'ack') for (const id of op.ids) acked.add(id);
        else disk.apply(op);
      }
      const path = join(folder, basename(database));
      disk.write(folder, path, chance);
      const missing = judge(path, acked);
      if (missing === null) sum.damaged++;
      else if (missing > 0) sum.lossy++;
      sum.worst = Math.max(sum.worst, missing ?? 0);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const all = new Set(ops.flatMap((op) => (op.kind === 'ack' ? op.ids : [])));
  return { ...sum, acknowledged: all.size };
}

function judge(path: string, acked: ReadonlySet<string>): number | null {
  try {
    const { integrity, inbox } = readRows(path);
    return integrity === 'ok' ? [...acked].filter((id) => !inbox.has(id)).length : null;
  } catch (error) {
    // A sound file that is older than its own tables: everything is lost, nothing is damaged.
    return error instanceof Error && /no such table/.test(error.message) ? acked.size : null;
  }
}

/** Per file what is certainly there, and what may or may not be. */
class Disk {
  readonly #synced = new Map<string, Content>();
  readonly #loose = new Map<string, Change[]>();

  apply(op: Exclude<Op, { kind: 'ack' }>): void {
    const loose = this.#loose.get(op.file) ?? [];
    this.#loose.set(op.file, loose);
    switch (op.kind) {
      case 'unlink':
        this.#synced.delete(op.file);
        this.#loose.delete(op.file);
        return;
      case 'sync': {
        const content = this.#synced.get(op.file) ?? new Content();
        for (const one of loose.splice(0)) content.apply(one);
        this.#synced.set(op.file, content);
        return;
      }
      case 'write':
      case 'truncate':
        loose.push(op);
        return;
      default:
        return op satisfies never;
    }
  }

  /** One way in which it may look after the cut. */
  write(folder: string, path: string, chance: () => number): void {
    for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
    const how = Math.floor(chance() * 3);
    for (const file of new Set([...this.#synced.keys(), ...this.#loose.keys()])) {
      const content = new Content(this.#synced.get(file) ?? null);
      for (const op of this.#loose.get(file) ?? []) for (const part of survivors(op, how, chance)) content.apply(part);
      writeFileSync(join(folder, basename(file)), content.bytes);
    }
  }
}

const SECTOR = 512;

/** 0: nothing of it; 1: all or nothing of each write; 2: any sectors of each write. */
function survivors(op: Change, how: number, chance: () => number): Change[] {
  if (how === 0) return [];
  if (how === 1 || op.kind === 'truncate') return chance() < 0.5 ? [op] : [];
  const parts: Change[] = [];
  for (let from = 0; from < op.data.length; from += SECTOR)
    if (chance() < 0.5) parts.push({ ...op, data: op.data.subarray(from, from + SECTOR), at: op.at + from });
  return parts;
}

/** Grows by doubling: a log of megabytes is not copied for each page that is added. */
class Content {
  #bytes: Buffer;
  #length: number;

  constructor(from: Content | null = null) {
    this.#bytes = from === null ? Buffer.alloc(0) : Buffer.from(from.bytes);
    this.#length = this.#bytes.length;
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  apply(op: Change): void {
    if (op.kind === 'truncate') {
      this.#reach(op.length);
      this.#bytes.fill(0, op.length);
      this.#length = op.length;
      return;
    }
    this.#reach(op.at + op.data.length);
    op.data.copy(this.#bytes, op.at);
    this.#length = Math.max(this.#length, op.at + op.data.length);
  }

  #reach(length: number): void {
    if (length <= this.#bytes.length) return;
    const more = Buffer.alloc(Math.max(length, this.#bytes.length * 2));
    this.#bytes.copy(more, 0, 0, this.#length);
    this.#bytes = more;
  }
}
