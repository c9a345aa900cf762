import type { Channel } from './channel.ts';

/** As much of a logger as is needed. */
export interface NoticeLog {
  info(fields: object, message: string): void;
}

/** The structured log as a channel: every notice is in it, whoever else is told. */
export function createLogChannel(id: string, log: NoticeLog): Channel {
  return {
    id,
    send: async (notice, op) => {
      const { event, text, lines, link, incident } = notice;
      const details = Object.fromEntries(lines.map((line) => [line.label, line.value]));
      log.info(
        {
          notice: event,
          op,
          incident: incident.id,
          airflow: incident.airflow,
          dag_id: incident.dagId,
          severity: incident.severity,
          text,
          details,
          link,
        },
        notice.title,
      );
    },
    close: () => undefined,
  };
}
