/** A DAG file stops loading: no run fails, so nothing but Airflow's list of import errors tells of it. */
import { rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { story } from '../support/live/story.ts';
import { until } from '../support/live/until.ts';

const FILE = join(import.meta.dirname, 'dags', 'broken_files.py');
const { truth, serve, lab } = story();
const flag = join(lab.flags, 's23_file.broken');

/** Airflow reads a file again at once when it is newer than the last reading (2.11.2, 3.3.2). */
const touch = () => utimesSync(FILE, new Date(), new Date());

test.each([
  ['by the callback of our package', true],
  ['by the poll alone', false],
])('a file that does not load is an incident %s, and ends when it loads again', async (_, callbacks) => {
  await truth.known('s23_a');
  const { firedamper } = await serve({ name: `s23_${callbacks}`, prefixes: ['s23'], callbacks });
  // What is broken at the first look of all is history.
  await until('the first look is over', async () => (await firedamper.lastPoll()) !== null);
  const mine = async () => (await firedamper.allIncidents()).find((i) => i.broken_files.length > 0);
  writeFileSync(flag, '');
  touch();
  try {
    const opened = await until('the file is an incident', mine, { seconds: 120 });
    expect(opened).toMatchObject({ type: 'platform', status: 'contained', runs: [], holds: [], severity: 'P2' });
    expect(opened.broken_files).toMatchObject([{ error: 'ImportError: no module named s23', dags: ['s23_a'], loaded_at: null }]);
    expect(opened.broken_files[0]?.file).toMatch(/broken_files\.py$/);
  } finally {
    rmSync(flag, { force: true });
    touch();
  }
  await until('it is over', async () => (await mine())?.status === 'resolved', { seconds: 120, show: mine });
  await truth.known('s23_a');
  expect(await truth.acts('firedamper', 's23_a')).toEqual([]);
});
