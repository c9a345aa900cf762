/** Every part of the tests, one after the other, also after one has failed: what is broken is wanted whole. The exit code is 0 only where every part's was. */
import { spawnSync } from 'node:child_process';

const PARTS = ['check', 'test:fast', 'test:callbacks', 'test:ops', 'test:faults', 'test:live'] as const;

const ended = PARTS.map((part) => {
  const started = performance.now();
  const { status } = spawnSync('npm', ['run', part], { stdio: 'inherit' });
  return { part, ok: status === 0, seconds: Math.round((performance.now() - started) / 1000) };
});
for (const { part, ok, seconds } of ended) console.log(`${ok ? 'ok    ' : 'BROKEN'} ${part} (${seconds} s)`);
process.exitCode = ended.every(({ ok }) => ok) ? 0 : 1;
