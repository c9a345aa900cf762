/**
 * The one checker: a history of calls and their answers against the ground truth. It decides nothing by what the service says of itself; the only word of
 * the service that counts is an answer, and that as a promise. Every rule is a small function over plain data; an empty list means that it is kept.
 */
import type { Rows } from '../crash/rows.ts';
import { acknowledged, type Call } from './history.ts';
import { type TrueEffect, type Truth, US } from './truth.ts';

export interface Verdict {
  /** Promised, or due, and not there. */
  readonly lost: readonly string[];
  /** There, or done, more than once. */
  readonly doubled: readonly string[];
  /** Known once, and taken for something else afterwards. */
  readonly forgotten: readonly string[];
  /** Something unpaused that was not ours to unpause. */
  readonly foreignResumes: readonly string[];
  /** Done on nobody's word, or refused in a way that was not promised. */
  readonly broken: readonly string[];
  /** Not as the story must end. */
  readonly unsettled: readonly string[];
  /** The file itself is not sound. */
  readonly damaged: readonly string[];
}

export const CLEAN: Verdict = {
  ...{ lost: [], doubled: [], forgotten: [], foreignResumes: [], broken: [], unsettled: [], damaged: [] },
};

/** What this story allows and asks for. What is left out is not asked for. */
export interface Allowed {
  /** DAGs that a person took over on the way, with the pause state that the person left. */
  readonly theirs?: Readonly<Record<string, boolean>>;
  /** Exactly these acts of ours, by DAG (`''`: asset events) and kind: `{}` means not one. */
  readonly acts?: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** How the switches must stand in the end. */
  readonly paused?: Readonly<Record<string, boolean>>;
  /** Exactly so many runs of each DAG, all of them successful. */
  readonly ran?: Readonly<Record<string, number>>;
  /** Somebody was told of these. */
  readonly told?: readonly string[];
  /** Every stored callback is decided on, every act has ended, every hold is gone. */
  readonly over?: boolean;
  /** The program lived all the time: every call has an answer. */
  readonly alive?: boolean;
}

export function check(history: readonly Call[], truth: Truth, allowed: Allowed = {}): Verdict {
  const ours = truth.effects.filter((e) => e.by === US);
  const { file } = truth;
  const theirs = allowed.theirs ?? {};
  return {
    lost: [...(file ? [...lostCallbacks(history, file), ...lostActs(history, file)] : []), ...missingActs(ours, allowed.acts)],
    doubled: [
      ...(file ? doubledCallbacks(file) : []),
      ...repeatedActs(ours, allowed.acts),
      ...repeatedIntervals(ours),
      ...repeatedNotices(truth),
    ],
    forgotten: forgottenCallbacks(history),
    foreignResumes: [...foreignResumes(truth), ...undonePauses(truth, theirs)],
    broken: [...oddAnswers(history, allowed.alive ?? false), ...(file ? yesToAnotherPlan(history, file) : [])],
    unsettled: [
      ...(file && allowed.over ? openRows(file) : []),
      ...switchesWrong(truth, allowed.paused ?? {}, theirs),
      ...runsWrong(truth, allowed.ran ?? {}, theirs),
      ...untold(truth, allowed.told ?? []),
    ],
    damaged: file && file.integrity !== 'ok' ? [file.integrity] : [],
  };
}

// --- what was promised to senders

/** 202 means stored. */
const lostCallbacks = (history: readonly Call[], { inbox }: Rows): string[] =>
  acknowledged(history)
    .filter((c) => !inbox.has(c.id))
    .map((c) => `callback ${c.id}`);

const doubledCallbacks = ({ inbox }: Rows): string[] =>
  [...inbox].filter(([, n]) => n > 1).map(([id, n]) => `callback ${id}: ${n} rows`);

/** An answer says whether the callback was known before; of one that was never sent before, or was called new once, that is known here too. */
function forgottenCallbacks(history: readonly Call[]): string[] {
  const sent = new Set<string>();
  const calledNew = new Set<string>();
  return history
    .filter((c) => c.what === 'callback')
    .flatMap((c) => {
      const first = !sent.has(c.id);
      sent.add(c.id);
      if (c.status !== 202) return [];
      const isNew = c.body?.duplicate === false;
      if (!isNew) return first ? [`callback ${c.id}: new, and called a duplicate`] : [];
      const again = calledNew.has(c.id);
      calledNew.add(c.id);
      return again ? [`callback ${c.id}: acknowledged once more as new`] : [];
    });
}

/** A callback is taken, or refused in a way that brings it again: 503 with Retry-After. No answer at all is allowed to a program that may die. */
function oddAnswers(history: readonly Call[], alive: boolean): string[] {
  return history
    .filter((c) => c.what === 'callback' && c.status !== 202 && !isRefusal(c) && (c.status !== null || alive))
    .map((c) => `callback ${c.id}: ${c.status === null ? 'no answer' : `answered ${c.status}`}`);
}

export const isRefusal = (c: Call): boolean => c.status === 503 && Number(c.headers['retry-after']) > 0;

// --- what was promised to people

const wasTaken = (c: Call): boolean => c.what === 'person' && c.status !== null && c.status < 400;

/** An act that was answered is in the file: the plan that was asked for, the yes that was given. */
function lostActs(history: readonly Call[], { repairs }: Rows): string[] {
  const state = new Map(repairs.map((r) => [r.id, r.state]));
  return history.filter(wasTaken).flatMap((c) => {
    const asked: string | undefined = c.id.endsWith('/fixed') ? c.body?.repair?.id : undefined;
    if (asked !== undefined && !state.has(asked)) return [`plan ${asked}`];
    const approved = approvedPlan(c);
    const undecided = approved !== null && ['planning', 'proposed'].includes(state.get(approved) ?? 'proposed');
    return undecided ? [`the yes to ${approved}`] : [];
  });
}

const approvedPlan = (c: Call): string | null => /\/repairs\/([^/]+)\/approve$/.exec(c.id)?.[1] ?? null;

/** Nothing is repaired without a yes to exactly this plan: what was said yes to is the digest that was sent. */
function yesToAnotherPlan(history: readonly Call[], { repairs }: Rows): string[] {
  const digests = new Map(repairs.map((r) => [r.id, r.digest]));
  return history.filter(wasTaken).flatMap((c) => {
    const plan = approvedPlan(c);
    const digest = (c.sent as { digest?: string } | null)?.digest;
    return plan !== null && digests.has(plan) && digests.get(plan) !== digest ? [`a yes to another plan was taken: ${plan}`] : [];
  });
}

// --- what was done in Airflow

const nameOf = (e: TrueEffect): string => `${e.kind} ${e.dagId}`.trim();

/**
 * Every run is cleared or made at most once, every DAG paused and unpaused at most once, every event posted at most once; where a story says how
 * often, not more often than that.
 */
function repeatedActs(ours: readonly TrueEffect[], acts: Allowed['acts']): string[] {
  const single = ours.filter((e) => e.kind !== 'backfill' && (acts === undefined || e.runId !== undefined));
  const keys = single.map((e) => `${nameOf(e)}${e.runId ? `/${e.runId}` : ''}${e.kind === 'asset_event' ? ` ${e.detail}` : ''}`);
  const repeated = [...countOf(keys)].filter(([, n]) => n > 1).map(([key, n]) => `${key}: ${n} times`);
  return [
    ...repeated,
    ...actsThatDiffer(ours, acts)
      .filter(({ seen, wanted }) => seen > wanted)
      .map(inWords),
  ];
}

const missingActs = (ours: readonly TrueEffect[], acts: Allowed['acts']): string[] =>
  actsThatDiffer(ours, acts)
    .filter(({ seen, wanted }) => seen < wanted)
    .map(inWords);

interface Count {
  readonly key: string;
  readonly seen: number;
  readonly wanted: number;
}

function actsThatDiffer(ours: readonly TrueEffect[], acts: Allowed['acts']): Count[] {
  if (acts === undefined) return [];
  const wanted = new Map(
    Object.entries(acts).flatMap(([dagId, kinds]) =>
      Object.entries(kinds).map(([kind, n]) => [nameOf({ kind, dagId, by: US }), n] as const),
    ),
  );
  const seen = countOf(ours.map(nameOf));
  return [...new Set([...seen.keys(), ...wanted.keys()])]
    .map((key) => ({ key, seen: seen.get(key) ?? 0, wanted: wanted.get(key) ?? 0 }))
    .filter((c) => c.seen !== c.wanted);
}

const inWords = ({ key, seen, wanted }: Count): string => `${key}: ${seen} times, not ${wanted}`;

/** A backfill of nothing is a blind repeat of one that had everything. */
function repeatedIntervals(ours: readonly TrueEffect[]): string[] {
  const seen = new Set<string>();
  return ours
    .filter((e) => e.kind === 'backfill')
    .flatMap((e) => (e.detail ? e.detail.split(',') : ['nothing']).map((at) => `${e.dagId} ${at}`))
    .filter((key) => key.endsWith(' nothing') || seen.has(key) || !seen.add(key))
    .map((key) => `backfill of ${key}, again`);
}

/** At least once, and a receiver that keeps the ids it has seen is told once. */
function repeatedNotices({ notices }: Truth): string[] {
  const ids = new Map<string, Set<string>>();
  for (const { id, event, title } of notices) {
    const key = `${event}: ${title}`;
    ids.set(key, (ids.get(key) ?? new Set()).add(id));
  }
  return [...ids].filter(([, set]) => set.size > 1).map(([key, set]) => `notice "${key}" under ${set.size} ids`);
}

/** A DAG that somebody else has paused is unpaused by us. */
function foreignResumes({ effects }: Truth): string[] {
  const pausedBy = new Map<string, string>();
  return effects.flatMap((e) => {
    if (e.kind === 'pause') pausedBy.set(e.dagId, e.by);
    if (e.kind !== 'unpause' || e.by !== US) return [];
    const by = pausedBy.get(e.dagId) ?? 'somebody';
    return by === US ? [] : [`${e.dagId} was paused by ${by}`];
  });
}

const undonePauses = ({ switches }: Truth, theirs: Readonly<Record<string, boolean>>): string[] =>
  Object.entries(theirs)
    .filter(([dagId, paused]) => paused && switches[dagId] === false)
    .map(([dagId]) => `${dagId} was left paused by a person`);

// --- how the story must end

const OPEN_ACT = ['planned', 'sending', 'unknown'];
const GONE_HOLD = ['released', 'ceded'];

const openRows = ({ pending, intents, holds }: Rows): string[] => [
  ...(pending > 0 ? [`${pending} stored callbacks are not decided on`] : []),
  ...intents.filter((i) => OPEN_ACT.includes(i.state)).map((i) => `${i.kind} ${i.id} is ${i.state}`),
  ...holds.filter((h) => !GONE_HOLD.includes(h.state)).map((h) => `the hold of ${h.dagId} is ${h.state}`),
];

/** A person's pause that is gone is told as undone. */
function switchesWrong(
  { switches }: Truth,
  paused: Readonly<Record<string, boolean>>,
  theirs: Readonly<Record<string, boolean>>,
): string[] {
  return Object.entries({ ...paused, ...theirs })
    .filter(([dagId, wanted]) => switches[dagId] !== wanted && !(wanted && dagId in theirs))
    .map(([dagId, wanted]) => `${dagId} is ${wanted ? 'not ' : 'still '}paused`);
}

/** A DAG that a person took over runs as that person likes. */
function runsWrong({ runs }: Truth, ran: Readonly<Record<string, number>>, theirs: Readonly<Record<string, boolean>>): string[] {
  return Object.entries(ran).flatMap(([dagId, wanted]) => {
    const states = runs[dagId] ?? [];
    const right = dagId in theirs || (states.length === wanted && states.every((state) => state === 'success'));
    return right ? [] : [`runs of ${dagId}: ${states.join(', ') || 'none'} instead of ${wanted} x success`];
  });
}

const untold = ({ notices }: Truth, events: readonly string[]): string[] =>
  events.filter((event) => !notices.some((n) => n.event === event)).map((event) => `nobody was told: ${event}`);

// --- verdicts

const KINDS = Object.keys(CLEAN) as (keyof Verdict)[];

/** Everything that was ever seen, each thing once. */
export function both(a: Verdict, b: Verdict): Verdict {
  return Object.fromEntries(KINDS.map((kind) => [kind, [...new Set([...a[kind], ...b[kind]])]])) as unknown as Verdict;
}

/** All of it in words, none where it is clean. */
export const breaches = (verdict: Verdict): string[] => KINDS.flatMap((kind) => verdict[kind].map((text) => `${kind}: ${text}`));

const countOf = (keys: readonly string[]): Map<string, number> => {
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
};
