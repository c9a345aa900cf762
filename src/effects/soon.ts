/** What another Airflow is asked beside the one that an incident is of: one that is away must not keep the other waiting. */
export const OTHERS_WITHIN_MS = 5_000;

/** null: it is away, or has not answered by then. What it refuses for good is thrown as it is. */
export const soon = <T>(reading: Promise<T>, isAway: (error: unknown) => boolean, ms = OTHERS_WITHIN_MS): Promise<T | null> =>
  new Promise((resolve, reject) => {
    const late = setTimeout(() => resolve(null), ms);
    void reading
      .then(resolve, (error: unknown) => (isAway(error) ? resolve(null) : reject(error)))
      .finally(() => clearTimeout(late));
  });
