/**
 * A power cut without hardware: the running program's own system calls are written down, and the disk is rebuilt as it may look when the power goes at
 * any instant. What was synced is there; of what was not, nothing, or any part, or any sector of 512 bytes. A new name of a file is durable once its
 * folder is synced. Creating and deleting are taken for durable at once: SQLite syncs the folder, and a deleted rollback journal that comes back exists
 * only before the first callback.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { check } from '../checker/check.ts';
import { acknowledgedAs } from '../checker/history.ts';
import { NOTHING } from '../checker/truth.ts';
import { readRows } from './rows.ts';

export const TRACED = 'pwrite64,write,writev,fsync,fdatasync,ftruncate,unlink,rename';
export const tracer = (file: string): string[] => [
  ...['strace', '-f', '--seccomp-bpf', '-qq', '-y', '-xx', '-s', '300000', '-o', file, '-e', `trace=${TRACED}`],
];

type Change =
  | { readonly kind: 'write'; readonly file: string; readonly data: Buffer; readonly at: number }
  /** A small file, written anew as a whole. */
  | { readonly kind: 'replace'; readonly file: string; readonly data: Buffer }
  | { readonly kind: 'truncate'; readonly file: string; readonly length: number };
export type Op =
  | Change
  | { readonly kind: 'rename'; readonly file: string; readonly to: string }
  | { readonly kind: 'sync' | 'unlink'; readonly file: string }
  | { readonly kind: 'ack'; readonly ids: readonly string[] };

export const witnessOf = (database: string): string => `${database}.epoch`;

/** Only the database, its log and the witness beside it: they are what is rebuilt. */
export function readTrace(file: string, database: string): Op[] {
  const witness = witnessOf(database);
  const wanted = new Set([database, `${database}-wal`, witness, `${witness}.partial`, dirname(database)]);
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
  if (call === 'rename') return { kind: 'rename', file, to: bytes(/, "([^"]*)"/.exec(args)?.[1] ?? '').toString() };
  if (call === 'ftruncate') return { kind: 'truncate', file, length: Number(args.split(', ').at(-1)) };
  const data = bytes([...args.matchAll(/"([^"]*)"/g)].map((m) => m[1]).join(''));
  if (call === 'pwrite64') return { kind: 'write', file, data, at: Number(args.split(', ').at(-1)) };
  if (file.endsWith('.partial')) return { kind: 'replace', file, data };
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
  /** Images in which the file and its witness do not belong together as `store/epoch.ts` claims for every instant. */
  readonly strange: number;
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
  const sum = { images, lossy: 0, worst: 0, damaged: 0, strange: 0 };
  let done = 0;
  try {
    for (const instant of instants) {
      for (; done < instant && done < ops.length; done++) {
        const op = ops[done] as Op;
        if (op.kind === 'ack') for (const id of op.ids) acked.add(id);
        else disk.apply(op);
      }
      const path = join(folder, basename(database));
      putImage(folder, path, disk.image(chance));
      const file = readRows(path);
      const { lost, damaged } = check(acknowledgedAs([...acked]), { ...NOTHING, file });
      if (damaged.length > 0) sum.damaged++;
      else if (lost.length > 0) sum.lossy++;
      if (damaged.length === 0) sum.worst = Math.max(sum.worst, lost.length);
      if (!belongTogether(file.epoch, readWitness(path))) sum.strange++;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const all = new Set(ops.flatMap((op) => (op.kind === 'ack' ? op.ids : [])));
  return { ...sum, acknowledged: all.size };
}

interface Witness {
  readonly epoch: number;
  readonly raising: boolean;
}

const readWitness = (path: string): Witness | null =>
  existsSync(witnessOf(path)) ? (JSON.parse(readFileSync(witnessOf(path), 'utf8')) as Witness) : null;

/** The witness is of the same start, or one ahead while it says that this start has only begun. Read here from the bytes, not by the service's own code. */
const belongTogether = (epoch: number | null, witness: Witness | null): boolean =>
  witness !== null && epoch !== null && (witness.epoch === epoch || (witness.raising && witness.epoch === epoch + 1));

/** By the last part of their names. */
export type Image = ReadonlyMap<string, Buffer>;

export function putImage(folder: string, path: string, image: Image): void {
  for (const suffix of ['', '-wal', '-shm', '.epoch', '.epoch.partial']) rmSync(path + suffix, { force: true });
  for (const [name, bytes] of image) writeFileSync(join(folder, name), bytes);
}

/** Per file what is certainly there, and what may or may not be. */
export class Disk {
  readonly #synced = new Map<string, Content>();
  readonly #loose = new Map<string, Change[]>();
  /** What a name stood for before it was given to another file, as long as the folder is not synced: any of these may be found. */
  readonly #before = new Map<string, (Content | null)[]>();

  apply(op: Exclude<Op, { kind: 'ack' }>): void {
    switch (op.kind) {
      case 'unlink':
        this.#synced.delete(op.file);
        this.#loose.delete(op.file);
        return;
      case 'rename':
        this.#before.set(op.to, [...(this.#before.get(op.to) ?? []), this.#synced.get(op.to) ?? null]);
        for (const content of [this.#synced, this.#loose] as Map<string, unknown>[]) {
          content.set(op.to, content.get(op.file));
          if (content.get(op.file) === undefined) content.delete(op.to);
          content.delete(op.file);
        }
        return;
      case 'sync': {
        for (const name of this.#before.keys()) if (dirname(name) === op.file) this.#before.delete(name);
        const loose = this.#loose.get(op.file);
        if (loose === undefined) return;
        const content = this.#synced.get(op.file) ?? new Content();
        for (const one of loose.splice(0)) content.apply(one);
        this.#synced.set(op.file, content);
        return;
      }
      case 'write':
      case 'replace':
      case 'truncate':
        this.#loose.set(op.file, [...(this.#loose.get(op.file) ?? []), op]);
        return;
      default:
        return op satisfies never;
    }
  }

  /** One way in which it may look after the cut. */
  image(chance: () => number): Image {
    const how = Math.floor(chance() * 3);
    const files = new Map<string, Buffer>();
    for (const file of new Set([...this.#synced.keys(), ...this.#loose.keys()])) {
      const before = this.#before.get(file) ?? [];
      const older = before[Math.floor(chance() * (before.length + 1))];
      if (older === null) continue;
      const content = new Content(older ?? this.#synced.get(file) ?? null);
      if (older === undefined)
        for (const op of this.#loose.get(file) ?? []) for (const part of survivors(op, how, chance)) content.apply(part);
      files.set(basename(file), content.bytes);
    }
    return files;
  }
}

const SECTOR = 512;

/** 0: nothing of it; 1: all or nothing of each write; 2: any sectors of each write. */
function survivors(op: Change, how: number, chance: () => number): Change[] {
  if (how === 0) return [];
  if (how === 1 || op.kind !== 'write') return chance() < 0.5 ? [op] : [];
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
    if (op.kind === 'replace') {
      this.#length = 0;
      return this.apply({ kind: 'write', file: op.file, data: op.data, at: 0 });
    }
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
