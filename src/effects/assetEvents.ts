import { AirflowError } from '../airflow/client.ts';

/** An event whose run has not begun cannot be listed (3.0.6-3.3.2); once it has, it can. */
export const cannotBeListed = (assetKey: string): AirflowError =>
  new AirflowError('server_error', `an event of asset ${assetKey} cannot be listed, because a run that it caused has not begun`, {
    outcome: 'none',
    operation: 'GET /assets/events',
  });
