/**
 * The same storm of failures with the listener switched off and on, in turns, in one Airflow. What else a machine does changes more between two tables than the
 * package does: so each pair is measured one right after the other, and every second pair the other way round.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { RESULTS } from '../matrix/marks.ts';
import { type Round, stormBeside } from './rounds.ts';
import type { Stage } from './stage.ts';

export interface Turns {
  readonly date: string;
  readonly off: readonly Round[];
  readonly on: readonly Round[];
}

export async function takeTurns(stage: Stage, pairs: number, storm: number): Promise<Turns> {
  const found: { off: Round[]; on: Round[] } = { off: [], on: [] };
  for (let pair = 0; pair < pairs; pair++) {
    for (const listener of pair % 2 === 0 ? (['off', 'on'] as const) : (['on', 'off'] as const)) {
      // The scheduler begins anew for both, so that neither meets the memory of the one before it.
      await stage.listener(listener);
      emptyFolder(stage.spool);
      const round = await stormBeside(stage.airflow, `turn_${pair}_${listener}`, storm);
      console.error(`[${stage.lab.airflow.version}] ${storm} runs at once, listener ${listener}: ${lineOf(round)}`);
      found[listener].push(round);
    }
  }
  return { date: new Date().toISOString().slice(0, 10), ...found };
}

/** Every turn with the listener on meets the same spool; what was in it is not what is measured here. */
function emptyFolder(folder: string): void {
  for (const file of readdirSync(folder)) rmSync(join(folder, file), { recursive: true });
}

export const turnsFile = (version: string) => join(RESULTS, `turns-${version}.json`);

export function lastTurns(version: string): Turns | null {
  return existsSync(turnsFile(version)) ? (JSON.parse(readFileSync(turnsFile(version), 'utf8')) as Turns) : null;
}

export function wordsOfTurns(turns: Turns): string {
  const { date, off, on } = turns;
  const each = (rounds: readonly Round[], of: (round: Round) => number) => rounds.map((round) => of(round).toFixed(1)).join(', ');
  const both = (of: (round: Round) => number) => `${each(off, of)} without the listener, ${each(on, of)} with it`;
  return [
    `${off[0]?.started ?? 0} runs that fail at once, nobody listening, in turns in one Airflow (${date}), seconds.`,
    `Until all had failed: ${both(allFailed)}.`,
    `The scheduler's processor time: ${both((round) => round.schedulerSeconds)}.`,
    `Its oldest heartbeat: ${both((round) => round.oldestHeartbeat)}.`,
    `The longest healthy run beside them: ${both(longestBeat)}.`,
  ].join(' ');
}

const allFailed = (round: Round) => round.runSeconds[0] ?? Number.NaN;
const longestBeat = (round: Round) => Math.max(...round.beatSeconds);

const lineOf = (round: Round) =>
  [
    `${round.failed} of ${round.started} after ${allFailed(round).toFixed(1)} s`,
    `scheduler's processor time ${round.schedulerSeconds.toFixed(1)} s`,
    `oldest heartbeat ${round.oldestHeartbeat.toFixed(1)} s`,
    `longest healthy run ${longestBeat(round).toFixed(1)} s`,
  ].join(', ');
