import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { openTerminal } from '../../src/demo/terminal.ts';

function terminal(tty: boolean, yes = false) {
  const input = Object.assign(new PassThrough(), { isTTY: tty });
  const output = new PassThrough();
  const stop = new AbortController();
  return { input, output, stop, terminal: openTerminal({ input, output, yes, signal: stop.signal }) };
}
const never = () => new Promise(() => {});

test('on a terminal it waits for Enter', async () => {
  const { input, output, terminal: t } = terminal(true);
  let gone = false;
  const paused = t.pause('go on?', never).then(() => {
    gone = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(gone).toBe(false);
  expect(String(output.read())).toContain('go on?');
  input.write('\n');
  await paused;
});

test('it goes on without Enter when the thing was done in the browser, and stops asking', async () => {
  const { terminal: t } = terminal(true);
  let asked: AbortSignal | undefined;
  await t.pause('go on?', async (signal) => {
    asked = signal;
  });
  expect(asked?.aborted).toBe(true);
});

test.each([
  { tty: false, yes: false },
  { tty: true, yes: true },
])('without a terminal, or with --yes, it does not wait at all: %o', async ({ tty, yes }) => {
  await terminal(tty, yes).terminal.pause('go on?', never);
});

test('Ctrl-C ends the wait with its reason', async () => {
  const { terminal: t, stop } = terminal(true);
  const paused = t.pause('go on?', never);
  stop.abort(new Error('stopped by hand'));
  await expect(paused).rejects.toThrow('stopped by hand');
});
