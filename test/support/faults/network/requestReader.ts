/** Puts HTTP/1.1 requests together from pieces; only what the service sends: a length, no chunks. */
interface WholeRequest {
  readonly bytes: Buffer;
  /** First line, headers and body. */
  readonly text: string;
}

export class RequestReader {
  #kept: Buffer = Buffer.alloc(0);

  feed(chunk: Buffer): WholeRequest[] {
    this.#kept = Buffer.concat([this.#kept, chunk]);
    const whole: WholeRequest[] = [];
    for (let length = this.#whole(); length !== null; length = this.#whole()) {
      const bytes = this.#kept.subarray(0, length);
      whole.push({ bytes, text: bytes.toString('utf8') });
      this.#kept = this.#kept.subarray(length);
    }
    return whole;
  }

  #whole(): number | null {
    const head = this.#kept.indexOf('\r\n\r\n');
    if (head < 0) return null;
    const declared = /\r\ncontent-length: *(\d+)/i.exec(this.#kept.subarray(0, head).toString('latin1'))?.[1];
    const length = head + 4 + Number(declared ?? 0);
    return this.#kept.length >= length ? length : null;
  }
}
