/** What another Airflow is asked beside the one that an incident is of: one that is away must not keep the other waiting. */
const OTHERS_WITHIN_MS = 5_000;

/** null: it failed, or has not answered by then. */
export const soon = <T>(reading: Promise<T>): Promise<T | null> =>
  new Promise((resolve) => {
    const late = setTimeout(() => resolve(null), OTHERS_WITHIN_MS);
    void reading.then(resolve, () => resolve(null)).finally(() => clearTimeout(late));
  });
