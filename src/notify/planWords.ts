import type { Repair, Step } from '../core/plan.ts';
import { clean, few, moment } from './words.ts';

export const runsOf = (repair: Repair): number => repair.steps.reduce((sum, step) => sum + step.runs.length, 0);

/** What a repair would do, in the order in which it would do it. */
export function repairLines(repair: Repair): [string, string][] {
  const steps = repair.steps.map((step) => `${step.n}. ${stepWords(step)}`);
  const shown = steps.slice(0, 5);
  return [
    [
      'Plan',
      steps.length > shown.length ? `${shown.join('; ')}; and ${steps.length - shown.length} more steps` : shown.join('; '),
    ],
    ['Warnings', few(repair.warnings)],
    ['Digest', repair.digest ?? ''],
    ['Asked for by', repair.requestedBy],
    ['Expires', repair.expiresAt === null ? '' : moment(repair.expiresAt)],
  ];
}

function stepWords({ request, dagId, runs, stage }: Step): string {
  const canary = stage === 'canary' ? ' (canary)' : '';
  const dag = clean(dagId, 80);
  if (request.kind === 'clear') {
    const what = request.tasks === null ? 'all tasks' : `from task ${clean(request.tasks.join(', '), 80)} on`;
    return `run ${clean(request.runId, 80)} of ${dag} again, ${what}${canary}`;
  }
  if (request.kind === 'create_run') return `create the run of ${dag} for ${moment(request.logicalDate)}${canary}`;
  return `backfill ${dag} from ${moment(request.from)} to ${moment(request.to)}, ${runs.length} ${runs.length === 1 ? 'run' : 'runs'}${canary}`;
}
