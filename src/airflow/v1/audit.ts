/** Airflow 2: who touched the pause switch. */
import { auditRow, concerns, pauseEventsOfDag, pauseEventsOfMany } from '../audit.ts';
import { auditAnswers } from '../auditReading.ts';
import type { Calls } from '../calls.ts';
import { rows } from '../typedWire.ts';
import type { V1Setting } from './dags.ts';

export const v1Audit = ({ wire, version }: V1Setting): Pick<Calls, 'auditCursor' | 'auditRows'> =>
  auditAnswers({
    newest: () =>
      wire.get('/eventLogs', { lane: 'reads', query: { order_by: '-event_log_id', limit: 1 } }, (body) =>
        rows(body.event_logs, 'event_logs').map((row) => auditRow(row, version)),
      ),
    page: (who, limit, offset) =>
      wire.get(
        '/eventLogs',
        {
          lane: 'reads',
          query: {
            ...(who.dagId === null ? {} : { dag_id: who.dagId }),
            // One text with commas, other than every other list of 2.x.
            included_events: (who.dagId === null ? pauseEventsOfMany : pauseEventsOfDag).join(','),
            order_by: '-event_log_id',
            limit,
            offset,
          },
        },
        (body) => rows(body.event_logs, 'event_logs').map((row) => auditRow(row, version)),
      ),
    concerns,
  });
