/** What the rendered fields of a past task instance tell of an edge: which tasks a sensor waits for, whether a trigger waits, where a templated one points. */

export type Fields = Readonly<Record<string, unknown>>;

export interface TriggerFacts {
  readonly target: string | null;
  readonly waits: boolean | null;
}

/** TriggerDagRunOperator of 2.9-3.3; both list these as template fields, so the rendered value is the real one. */
export const triggerFacts = (fields: Fields | undefined): TriggerFacts => ({
  target: textOf(fields?.trigger_dag_id),
  waits: boolOf(fields?.wait_for_completion),
});

export interface SensorFacts {
  readonly dagId: string | null;
  /** null: the sensor waits for the whole DAG or a task group, or nothing is known. */
  readonly taskIds: readonly string[] | null;
}

/** ExternalTaskSensor of 2.9-3.3. */
export const sensorFacts = (fields: Fields | undefined): SensorFacts => {
  const dagId = textOf(fields?.external_dag_id);
  const many = listOf(fields?.external_task_ids);
  const one = textOf(fields?.external_task_id);
  return { dagId, taskIds: many ?? (one === null ? null : [one]) };
};

const textOf = (value: unknown): string | null => (typeof value === 'string' && value !== '' && value !== 'None' ? value : null);

/** Some versions keep rendered values as text (`"True"`, `"['a', 'b']"`). */
const boolOf = (value: unknown): boolean | null => {
  if (typeof value === 'boolean') return value;
  return value === 'True' ? true : value === 'False' ? false : null;
};

const listOf = (value: unknown): readonly string[] | null => {
  const list =
    typeof value === 'string' && value.startsWith('[')
      ? [...value.matchAll(/'([^']*)'|"([^"]*)"/g)].map((found) => found[1] ?? found[2] ?? '')
      : value;
  if (!Array.isArray(list) || list.length === 0) return null;
  return list.every((one): one is string => typeof one === 'string') ? list : null;
};
