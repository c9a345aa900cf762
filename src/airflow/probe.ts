/** Which Airflow answers here? */
import { AirflowError } from './client.ts';
import { text } from './translate.ts';
import { atLeast, parseVersion, type Version } from './version.ts';
import type { Wire } from './wire.ts';

export interface Generation {
  readonly version: Version;
  readonly generation: 2 | 3;
}

/**
 * v2 first: 2.x answers it with an HTML 404, while 3.x answers v1 with a 404 of its own, so either order is safe (seen on 2.11.2,
 * 3.0.6-3.3.2). Both are open without a log-in.
 */
export const findGeneration = async (wire: Wire): Promise<Generation> => {
  const second = await versionAt(wire, '/api/v2/version');
  if (second !== null) return known(second, 3);
  const first = await versionAt(wire, '/api/v1/version');
  if (first !== null) return known(first, 2);
  throw new AirflowError(
    'not_airflow',
    'neither /api/v2/version nor /api/v1/version answers as Airflow does; check the address and its path',
    {
      outcome: 'none',
      operation: 'GET /version',
    },
  );
};

const versionAt = async (wire: Wire, path: string): Promise<string | null> => {
  try {
    return await wire.call('get', path, { lane: 'reads' }, ({ body }) => text(body.version, 'version'));
  } catch (error) {
    // A redirect or an HTML page at the first address must not hide a good answer at the second one.
    if (error instanceof AirflowError && (error.kind === 'not_airflow' || error.kind === 'not_found')) return null;
    throw error;
  }
};

/** 2.9 is the oldest that was seen; 3.x is taken up to its end, because its API grows by additions. */
const known = (written: string, generation: 2 | 3): Generation => {
  const version = parseVersion(written);
  if (version !== null && version.major === generation && (generation === 3 || atLeast(version, 2, 9)))
    return { version, generation };
  throw new AirflowError('unsupported', `Airflow ${written.slice(0, 40)} is not known: 2.9 to 2.11 and 3.x are`, {
    outcome: 'none',
    operation: 'GET /version',
  });
};
