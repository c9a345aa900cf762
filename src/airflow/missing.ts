import { AirflowError } from './client.ts';

/** Airflow has no such thing: an answer, not an error. A missing route is `not_airflow` and stays an error. */
export const nullWhenMissing = async <T>(found: Promise<T>): Promise<T | null> => {
  try {
    return await found;
  } catch (error) {
    if (error instanceof AirflowError && error.kind === 'not_found') return null;
    throw error;
  }
};
