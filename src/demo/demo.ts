import { join, resolve } from 'node:path';
import { askAirflow, askFiredamper, type DemoIncident, type DemoRepair, waitFor } from './demoApi.ts';
import { type Person, type Stage, setStage, strikeStage } from './stage.ts';
import { openTerminal, type Terminal } from './terminal.ts';

export interface DemoOptions {
  /** Goes through without asking, also on a terminal. */
  readonly yes?: boolean;
  /** Where Airflow is installed and everything is kept; default `.firedamper` of the project. */
  readonly root?: string;
}

const CHAIN = ['orders_raw', 'orders_clean', 'revenue_report'] as const;
const BYSTANDER = 'weather_import';
const ALL_DAY_S = 86_400;

interface Scene {
  readonly stage: Stage;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  readonly airflow: Awaited<ReturnType<typeof askAirflow>>;
}

/**
 * The main story on a real Airflow, guided: a DAG fails, what reads it is held, the plan is shown and approved, it runs, and everything goes on
 * exactly once. Answers the exit code: 0 only when it really ended so. Everything that was started is stopped, also after Ctrl-C.
 */
export async function runDemo(options: DemoOptions = {}): Promise<number> {
  const interrupt = new AbortController();
  const onSignal = () => interrupt.abort(new Error('stopped by hand'));
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, onSignal);
  const terminal = openTerminal({
    input: process.stdin,
    output: process.stdout,
    yes: options.yes ?? false,
    signal: interrupt.signal,
  });
  const root = resolve(options.root ?? join(import.meta.dirname, '..', '..', '.firedamper'));
  try {
    return await Promise.race([play(root, terminal, interrupt.signal), rejected(interrupt.signal)]);
  } catch (error) {
    terminal.print(
      `\n${interrupt.signal.aborted ? 'Stopped.' : `The demo failed: ${error instanceof Error ? error.message : String(error)}`}`,
    );
    return interrupt.signal.aborted ? 130 : 1;
  } finally {
    terminal.print('Stopping Airflow and Firedamper ...');
    await strikeStage();
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.removeListener(name, onSignal);
  }
}

function rejected(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
}

async function play(root: string, terminal: Terminal, signal: AbortSignal): Promise<number> {
  introduce(root, terminal);
  const from = performance.now();
  const stage = await setStage(root, (line) => terminal.print(`  ${line}`));
  const scene: Scene = { stage, terminal, signal, airflow: await askAirflow(stage) };
  for (const dagId of [...CHAIN, BYSTANDER]) await waitFor(`Airflow reads ${dagId}`, signal, () => scene.airflow.knows(dagId));
  const setUp = (performance.now() - from) / 1000;
  addresses(scene);

  const contained = await failure(scene);
  const plan = await fix(scene, contained);
  await approval(scene, contained, plan);
  const resolved = await ending(scene, contained);
  const code = await summary(scene, resolved, setUp);
  await terminal.pause('Look around as long as you like; Enter stops everything.');
  return code;
}

function introduce(root: string, terminal: Terminal): void {
  terminal.title('Firedamper, guided: one failure from the first signal to the last run');
  terminal.print(
    'A real Airflow 3.3.2 on a PostgreSQL of its own, and Firedamper beside it. Both listen on 127.0.0.1 only and are stopped at the end.',
  );
  terminal.print(`Everything goes into ${root}; the first time that is about 350 MB, afterwards nothing is downloaded.`);
  terminal.title('1. Installing and starting');
}

function addresses({ stage, terminal }: Scene): void {
  const { airflow, tokens } = stage;
  terminal.print();
  terminal.table([
    ['Firedamper', `${stage.url}/   log in with the token ${tokens.anna} (anna, approver)`],
    ['Airflow', `${airflow.url}/   admin / ${airflow.users.admin}`],
    ['logs', `${stage.log}, ${airflow.logs}`],
  ]);
}

async function failure(scene: Scene): Promise<DemoIncident> {
  const { terminal, signal, stage, airflow } = scene;
  terminal.title('2. A failure');
  terminal.print(
    'orders_raw -> (asset) -> orders_clean -> (asset) -> revenue_report, and weather_import, which has nothing to do with them.',
  );
  await terminal.pause('Enter breaks the source and starts orders_raw.');
  await stage.breakSource();
  await airflow.trigger('orders_raw');
  terminal.print('  The source is broken; orders_raw has been started.');
  const firedamper = askFiredamper(stage, 'olga');
  const [opened] = await waitFor('Firedamper hears of the failure', signal, async () => {
    const found = await firedamper.incidents();
    return found.length > 0 ? found : null;
  });
  const { id } = opened as DemoIncident;
  terminal.print(`  Incident ${id} is open: "${opened?.title}", ${opened?.severity}.`);
  const contained = await waitFor('everything downstream is held', signal, async () => {
    const now = await firedamper.incident(id);
    return now.status !== 'open' ? now : null;
  });
  await waitFor('the run of orders_raw ends', signal, async () => (await airflow.runs('orders_raw'))[0]?.state === 'failed');
  for (const hold of contained.holds)
    terminal.print(
      `  Held: ${hold.dag_id} (${hold.path.join(', ')}); Airflow says paused: ${yes(await airflow.paused(hold.dag_id))}`,
    );
  terminal.print(`  ${BYSTANDER} goes on; Airflow says paused: ${yes(await airflow.paused(BYSTANDER))}`);
  terminal.print(
    `  ${after(contained, 'failed_at', 'contained_at')} from the failed task to the last held DAG. The story so far: ${contained.page}`,
  );
  return contained;
}

async function fix(scene: Scene, { id }: DemoIncident): Promise<DemoRepair> {
  const { terminal, signal, stage } = scene;
  const firedamper = askFiredamper(stage, 'olga');
  terminal.title('3. The cause is fixed');
  const planned = async () => (await firedamper.incident(id)).repairs.find((repair) => repair.digest !== null);
  await stage.mendSource();
  const inBrowser = (until: AbortSignal) => waitFor('somebody says "fixed" in the browser', until, planned, ALL_DAY_S);
  await terminal.pause('The source delivers again. Enter says "fixed" (olga), or use the button on the page.', inBrowser);
  if (!(await planned())) await firedamper.fixed(id);
  const plan = await waitFor('Airflow answers the dry run', signal, planned);
  terminal.print(`  The plan, asked for by ${plan.requested_by}; Airflow's own dry run says that exactly this would run:`);
  for (const step of plan.steps) {
    for (const run of step.runs)
      terminal.print(
        `    ${step.n}. ${step.kind} ${step.dag_id} ${run.run_id ?? '(new run)'}: ${run.tasks.map((task) => task.task_id).join(', ')}`,
      );
  }
  terminal.print(`  Digest ${plan.digest}`);
  return plan;
}

async function approval(scene: Scene, { id }: DemoIncident, plan: DemoRepair): Promise<void> {
  const { terminal, signal, stage } = scene;
  terminal.title('4. A yes to exactly this plan');
  const look = askFiredamper(stage, 'olga');
  const state = async () => (await look.incident(id)).repairs.find((repair) => repair.id === plan.id)?.state ?? 'proposed';
  const inBrowser = (until: AbortSignal) =>
    waitFor('somebody approves in the browser', until, async () => (await state()) !== 'proposed', ALL_DAY_S);
  const approver: Person = plan.requested_by === 'anna' ? 'bert' : 'anna';
  await terminal.pause(`Enter approves it (${approver}), or use the button on the page.`, inBrowser);
  if ((await state()) === 'proposed') await askFiredamper(stage, approver).approve(plan);
  const ended = await waitFor('the repair ends', signal, async () => {
    const now = await state();
    return ['succeeded', 'failed', 'lapsed', 'rejected', 'cancelled'].includes(now) ? now : null;
  });
  terminal.print(`  Approved; orders_raw has run again: ${ended}.`);
}

async function ending(scene: Scene, { id }: DemoIncident): Promise<DemoIncident> {
  const { terminal, signal, stage } = scene;
  terminal.title('5. Released, and every DAG gets what it missed');
  const firedamper = askFiredamper(stage, 'olga');
  let told = '';
  const resolved = await waitFor('the incident is resolved', signal, async () => {
    const now = await firedamper.incident(id);
    if (now.status !== told) terminal.print(`  ${now.status}`);
    told = now.status;
    return now.status === 'resolved' ? now : null;
  });
  terminal.title('The timeline');
  for (const entry of await firedamper.timeline(id)) {
    terminal.print(
      `  ${entry.at.slice(11, 23)} ${entry.actor.padEnd(10)} ${entry.event.padEnd(20)} ${entry.subject ?? ''}: ${entry.reason}`,
    );
  }
  return resolved;
}

/** What counts is what Airflow says: each DAG of the chain succeeded once, none is paused, the bystander was left alone. */
async function summary({ terminal, airflow }: Scene, incident: DemoIncident, setUp: number): Promise<number> {
  terminal.title('Summary');
  terminal.table([
    ['installing and starting', `${setUp.toFixed(1)} s`],
    ['failed task -> incident open', after(incident, 'failed_at', 'opened_at')],
    ['failed task -> last DAG held', after(incident, 'failed_at', 'contained_at')],
    ['"fixed" -> repaired (your approval included)', after(incident, 'fixed_at', 'repaired_at')],
    ['repaired -> released', after(incident, 'repaired_at', 'released_at')],
    ['released -> every DAG has what it missed', after(incident, 'released_at', 'resolved_at')],
    ['failed task -> resolved', after(incident, 'failed_at', 'resolved_at')],
  ]);
  let good = incident.status === 'resolved';
  terminal.print();
  for (const dagId of [...CHAIN, BYSTANDER]) {
    const runs = await airflow.runs(dagId);
    const paused = await airflow.paused(dagId);
    const expected = dagId === BYSTANDER ? 0 : 1;
    const right = runs.length === expected && runs.every((run) => run.state === 'success') && !paused;
    good &&= right;
    terminal.print(
      `  ${right ? 'ok ' : 'BAD'} ${dagId.padEnd(15)} ${runs.length} run${runs.length === 1 ? '' : 's'} (${runs.map((run) => run.state).join(', ') || 'none'}), ${paused ? 'paused' : 'not paused'}`,
    );
  }
  terminal.print(
    good
      ? '\n  It ended as it should: resolved, and each DAG has the repaired data exactly once.'
      : '\n  It did not end as it should.',
  );
  return good ? 0 : 1;
}

function after(incident: DemoIncident, from: string, to: string): string {
  const [start, end] = [incident.timestamps[from], incident.timestamps[to]];
  return start && end ? `${((Date.parse(end) - Date.parse(start)) / 1000).toFixed(1)} s` : '-';
}

const yes = (value: boolean): string => (value ? 'yes' : 'no');
