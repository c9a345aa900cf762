import { createInterface } from 'node:readline/promises';
import type { Readable, Writable } from 'node:stream';

export interface Terminal {
  readonly interactive: boolean;
  print(text?: string): void;
  title(text: string): void;
  /** Interactive: waits for Enter or for `meanwhile`, whichever comes first (somebody may act in the browser). Otherwise goes on at once. */
  pause(prompt: string, meanwhile?: (signal: AbortSignal) => Promise<unknown>): Promise<void>;
  table(rows: readonly (readonly [string, string])[]): void;
}

export interface TerminalOptions {
  readonly input: Readable & { readonly isTTY?: boolean };
  readonly output: Writable & { readonly isTTY?: boolean };
  readonly yes: boolean;
  readonly signal: AbortSignal;
}

export function openTerminal({ input, output, yes, signal }: TerminalOptions): Terminal {
  const interactive = input.isTTY === true && !yes;
  const bold = (text: string) => (output.isTTY ? `\u001b[1m${text}\u001b[0m` : text);
  const print = (text = '') => void output.write(`${text}\n`);
  return {
    interactive,
    print,
    title: (text) => print(`\n${bold(text)}`),
    async pause(prompt, meanwhile) {
      if (!interactive) return;
      const done = new AbortController();
      const either = AbortSignal.any([signal, done.signal]);
      // Not a readline "terminal": Ctrl-C must stay a signal to the whole program.
      const lines = createInterface({ input, output, terminal: false });
      const waits = [lines.question(`\n${bold(`> ${prompt}`)} `, { signal: either })];
      if (meanwhile) waits.push(meanwhile(either).then(() => ''));
      await Promise.race(waits.map((wait) => wait.catch(() => {})));
      done.abort();
      lines.close();
      signal.throwIfAborted();
    },
    table(rows) {
      const width = Math.max(...rows.map(([name]) => name.length));
      for (const [name, value] of rows)
        print(`  ${name.padEnd(width, '.').replace(/\.+$/, (dots) => ` ${dots.slice(1)}`)} ${value}`);
    },
  };
}
