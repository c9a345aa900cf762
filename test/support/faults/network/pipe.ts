/** One direction of one connection: what comes in goes out, in order, through the toxics that it has caught. */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ToxicKind } from './proxy.ts';
import { RequestReader } from './requestReader.ts';

export class Pipe {
  /** Told of every whole request that came by, before it is passed on. */
  onRequest: ((request: string) => void) | null = null;
  readonly #from: Socket;
  readonly #to: Socket;
  /** Whoever asked: upstream the beginning of this pipe, downstream its end. */
  readonly #asker: Socket;
  readonly #random: () => number;
  readonly #toxics: ToxicKind[] = [];
  readonly #reader = new RequestReader();
  #left = Number.POSITIVE_INFINITY;
  #tail: Promise<void> = Promise.resolve();
  #over = false;

  constructor(stream: 'upstream' | 'downstream', from: Socket, to: Socket, random: () => number) {
    this.#from = from;
    this.#to = to;
    this.#asker = stream === 'upstream' ? from : to;
    this.#random = random;
    from.on('data', (chunk) => this.#receive(chunk));
    from.once('end', () => this.#then(() => this.#end()));
    // A reset of one side reaches the other one, but only after what was sent before it.
    from.once('close', () => this.#then(() => this.#end(), true));
    from.on('error', () => undefined);
  }

  poison(...toxics: readonly ToxicKind[]): void {
    this.#toxics.push(...toxics);
    for (const toxic of toxics) if (toxic.kind === 'limit_data') this.#left = toxic.bytes;
  }

  #receive(chunk: Buffer): void {
    if (this.onRequest === null) return this.#then(() => this.#pass(chunk));
    // Half a request is kept back, or the toxic that waits for its end would come too late to stop its beginning.
    for (const { bytes, text } of this.#reader.feed(chunk)) {
      this.onRequest(text);
      this.#then(() => this.#pass(bytes));
    }
  }

  #then(step: () => Promise<void> | void, always = false): void {
    this.#tail = this.#tail.then(async () => {
      if (!this.#over || always) await step();
    });
  }

  async #pass(chunk: Buffer): Promise<void> {
    for (const toxic of this.#toxics) await this.#suffer(toxic, chunk);
    if (this.#over) return;
    const sent = chunk.subarray(0, this.#left);
    this.#left -= sent.length;
    const slicer = this.#toxics.find((toxic) => toxic.kind === 'slicer');
    const size = slicer?.bytes ?? sent.length;
    for (let at = 0; at < sent.length; at += size) {
      if (!this.#to.destroyed) this.#to.write(sent.subarray(at, at + size));
      if (slicer !== undefined) await sleep(1);
    }
    if (this.#left <= 0) this.#cut(() => this.#to.end());
  }

  async #suffer(toxic: ToxicKind, chunk: Buffer): Promise<void> {
    if (this.#over) return;
    if (toxic.kind === 'latency') await sleep(toxic.ms + (this.#random() * 2 - 1) * (toxic.jitter ?? 0));
    else if (toxic.kind === 'bandwidth') await sleep((chunk.length / toxic.bytesPerSecond) * 1000);
    else if (toxic.kind === 'reset_peer') this.#cut(() => this.#asker.resetAndDestroy());
    else if (toxic.kind === 'page') this.#cut(() => this.#answerPage(toxic.status));
    else if (toxic.kind === 'timeout') {
      this.#over = true;
      if (toxic.ms === 0) return;
      await sleep(toxic.ms);
      for (const socket of [this.#from, this.#to]) socket.destroy();
    }
  }

  #cut(how: () => void): void {
    this.#over = true;
    how();
    const other = this.#asker === this.#to ? this.#from : this.#to;
    other.destroy();
  }

  #answerPage(status: number): void {
    const html = `<html><head><title>${status}</title></head><body><center><h1>${status}</h1></center><hr>gateway</body></html>`;
    const head = `HTTP/1.1 ${status} Gateway\r\nContent-Type: text/html\r\nContent-Length: ${html.length}\r\nConnection: close\r\n\r\n`;
    this.#asker.end(head + html);
  }

  async #end(): Promise<void> {
    const slow = this.#toxics.find((toxic) => toxic.kind === 'slow_close');
    if (slow !== undefined) await sleep(slow.ms);
    // Half-open: the other side is not told, it waits until it has had enough.
    if (this.#toxics.some((toxic) => toxic.kind === 'timeout')) return;
    if (!this.#to.destroyed) this.#to.end();
  }
}
