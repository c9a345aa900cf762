/** Airflow 3: who touched the pause switch. */
import { auditRow, concerns, pauseEventsOfDag, pauseEventsOfMany } from '../audit.ts';
import { auditAnswers } from '../auditReading.ts';
import type { Calls } from '../calls.ts';
import { rows } from '../typedWire.ts';
import type { V2Setting } from './dags.ts';

export const v2Audit = ({ wire, version }: V2Setting): Pick<Calls, 'auditCursor' | 'auditRows'> =>
  auditAnswers({
    newest: () =>
      wire.get('/api/v2/eventLogs', { lane: 'reads', query: { order_by: ['-event_log_id'], limit: 1 } }, (body) =>
        rows(body.event_logs, 'event_logs').map((row) => auditRow(row, version)),
      ),
    page: (who, limit, offset) =>
      wire.get(
        '/api/v2/eventLogs',
        {
          lane: 'reads',
          query: {
            ...(who.dagId === null ? {} : { dag_id: who.dagId }),
            included_events: [...(who.dagId === null ? pauseEventsOfMany : pauseEventsOfDag)],
            order_by: ['-event_log_id'],
            limit,
            offset,
          },
        },
        (body) => rows(body.event_logs, 'event_logs').map((row) => auditRow(row, version)),
      ),
    concerns,
  });
