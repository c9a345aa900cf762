/** Chance from a seed: the same seed gives the same numbers for ever. Forks keep one part's draws from moving another's. */

export class Chance {
  #state: number;

  constructor(seed: number | string) {
    let h = 2166136261;
    for (const c of String(seed)) h = Math.imul(h ^ c.charCodeAt(0), 16777619);
    this.#state = h >>> 0;
    for (let i = 0; i < 4; i++) this.next();
  }

  /** 0 <= x < 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }
  fork(name: string): Chance {
    return new Chance(`${Math.floor(this.next() * 4294967296)}/${name}`);
  }
  /** True with this probability. */
  hit(p: number): boolean {
    return this.next() < p;
  }
  /** A whole number, both bounds included. */
  int(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1));
  }
  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new Error('nothing to pick from');
    return list[Math.floor(this.next() * list.length)] as T;
  }
  /** By weight; entries with weight 0 are never taken. */
  weighted<T>(list: readonly (readonly [number, T])[]): T {
    let left = this.next() * list.reduce((sum, [w]) => sum + w, 0);
    for (const [w, value] of list) {
      left -= w;
      if (left < 0) return value;
    }
    return (list.at(-1) as readonly [number, T])[1];
  }
  shuffle<T>(list: readonly T[]): T[] {
    const out = [...list];
    for (let i = out.length - 1; i > 0; i--) {
      const j = this.int(0, i);
      [out[i], out[j]] = [out[j] as T, out[i] as T];
    }
    return out;
  }
  letters(n: number): string {
    let text = '';
    while (text.length < n) text += Math.floor(this.next() * 36).toString(36);
    return text;
  }
}
