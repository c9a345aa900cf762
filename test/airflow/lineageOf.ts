import type { AirflowClient } from '../../src/airflow/client.ts';
import type { Lineage } from '../../src/core/facts.ts';

/** The lineage as a survey reads it: beside the list of DAGs. */
export const lineageOf = (client: AirflowClient): Promise<Lineage> =>
  client.getLineage(async () => (await client.listDags()).map((dag) => dag.dagId));
