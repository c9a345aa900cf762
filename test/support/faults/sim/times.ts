/**
 * R10: no duration that the service could show is negative, whatever its clock does. Asked of every row that a decision writes. A delivery has none to show:
 * its times say from when on Airflow is asked, and since when a run is waited for.
 */
import type { Decision } from '../../../../src/core/draft.ts';
import type { Hold } from '../../../../src/core/hold.ts';
import type { Incident } from '../../../../src/core/incident.ts';
import type { Repair } from '../../../../src/core/plan.ts';
import type { Truth } from './truth.ts';

type Times = readonly (readonly [string, string | null | undefined])[];

export function judgeTimes(truth: Truth, d: Decision, at: number): void {
  const inOrder = (what: string, times: Times) => {
    const known = times.flatMap(([name, t]) => (t === null || t === undefined ? [] : [[name, Date.parse(t)] as const]));
    truth.figures.times += Math.max(0, known.length - 1);
    known.forEach(([name, ms], i) => {
      const before = known[i - 1];
      if (before && ms < before[1])
        truth.break('no time runs backwards', at, `${what}: ${name} is ${before[1] - ms} ms before ${before[0]}`);
    });
  };
  for (const i of d.incidents) for (const one of ofIncident(i)) inOrder(i.id, one);
  for (const h of d.holds) for (const one of ofHold(h, truth.incidents.get(h.incidentId))) inOrder(h.id, one);
  for (const r of d.repairs) for (const one of ofRepair(r, truth.incidents.get(r.incidentId))) inOrder(r.id, one);
}

function ofIncident({ timestamps: t, files }: Incident): Times[] {
  const opened = ['opened', t.openedAt] as const;
  const episode = ['reopened', t.reopenedAt] as const;
  return [
    [['failed', t.failedAt], opened, episode, ['contained', t.containedAt]],
    [opened, ['acknowledged', t.acknowledgedAt]],
    [opened, episode, ['fixed', t.fixedAt], ['repaired', t.repairedAt], ['verified', t.verifiedAt], ['released', t.releasedAt]],
    [opened, episode, ['released', t.releasedAt], ['resolved', t.resolvedAt]],
    [opened, ['dismissed', t.dismissedAt]],
    ...(files ?? []).map(
      (f): Times => [
        [`broken, ${f.file}`, f.since],
        [`loaded, ${f.file}`, f.loadedAt],
      ],
    ),
  ];
}

const ofHold = (h: Hold, i: Incident | undefined): Times[] => [
  [
    ['opened', i?.timestamps.openedAt],
    ['held since', h.since],
    ['released', h.releasedAt],
  ],
  [
    ['held since', h.since],
    ['review by', h.reviewBy],
  ],
];

function ofRepair(r: Repair, i: Incident | undefined): Times[] {
  const asked: Times = [
    ['opened', i?.timestamps.openedAt],
    ['asked for', r.createdAt],
  ];
  const yes: Times = [...asked, ['approved', r.approval?.at]];
  const end: Times = [['ended', r.endedAt]];
  const ofSteps = r.steps.map(
    (s): Times => [...yes, [`step ${s.n} started`, s.startedAt], [`step ${s.n} ended`, s.endedAt], ...end],
  );
  return [[...asked, ['expires', r.expiresAt]], [...yes, ...end], ...ofSteps];
}
