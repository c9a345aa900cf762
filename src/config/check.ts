import { LOG_CHANNEL } from './logChannel.ts';
import type { Place, Problems } from './problems.ts';
import { nearest } from './problems.ts';
import type { Group } from './reader.ts';
import type { Key, ValueOf } from './table.ts';

/** What no single value can show: names used twice, names that nobody has, halves without their other half. */
export function crossCheck(tree: Group, problems: Problems): void {
  const airflows = tree.list('airflows[]');
  unique(airflows, 'airflows[].id', problems);
  for (const airflow of airflows) checkAuth(airflow, problems);
  const tokens = tree.list('access.tokens[]');
  unique(tokens, 'access.tokens[].name', problems);
  uniqueSecrets(tokens, problems);
  const channels = tree.list('notify.channels[]');
  unique(channels, 'notify.channels[].id', problems);
  for (const channel of channels) checkChannel(channel, problems);
  const known = airflows.map((a) => a.get('airflows[].id')).filter((id) => id !== undefined);
  checkEdges(tree.list('lineage.edges[]'), known, problems);
}

function note(problems: Problems, group: Group, key: Key, text: string, hint?: string): void {
  problems.add(group.placeOf(key), `${group.path}.${key.split('].').at(-1)}`, text, hint);
}

function unique<K extends Key>(groups: readonly Group[], key: K, problems: Problems): void {
  const first = new Map<ValueOf<K>, Place>();
  for (const group of groups) {
    const value = group.get(key);
    if (value === undefined) continue;
    const before = first.get(value);
    if (before) note(problems, group, key, `'${value}' is taken`, `line ${before.line} has it too`);
    else first.set(value, group.placeOf(key));
  }
}

/** One token for two names would put the wrong name into the history. */
function uniqueSecrets(tokens: readonly Group[], problems: Problems): void {
  const seen = new Set<string>();
  for (const token of tokens) {
    const text = token.get('access.tokens[].secret')?.reveal();
    if (text === undefined) continue;
    if (seen.has(text))
      note(problems, token, 'access.tokens[].secret', 'is the secret of another entry too', 'every name needs its own');
    seen.add(text);
  }
}

function checkAuth(airflow: Group, problems: Problems): void {
  const written = (key: Key) => airflow.placeOf(key) !== airflow.place;
  const has = (key: Key) => airflow.get(key) !== undefined || written(key);
  const [user, password, token] = [
    has('airflows[].auth.username'),
    has('airflows[].auth.password'),
    has('airflows[].auth.token'),
  ];
  const path = `${airflow.path}.auth`;
  if (token && (user || password))
    problems.add(airflow.place, path, 'has both a token and a username or password', 'keep one of the two');
  else if (!token && user !== password) problems.add(airflow.place, path, `${user ? 'password' : 'username'} is missing`);
  else if (!token && !user)
    problems.add(
      airflow.place,
      path,
      'is missing',
      `such as auth: { username: firedamper, password: "\${env:AIRFLOW_PASSWORD}" }`,
    );
}

function checkChannel(channel: Group, problems: Problems): void {
  if (channel.get('notify.channels[].id') === LOG_CHANNEL)
    note(problems, channel, 'notify.channels[].id', `'${LOG_CHANNEL}' is the structured log`, 'choose another');
  if (channel.get('notify.channels[].kind') !== 'slack' || channel.get('notify.channels[].secret') === undefined) return;
  note(problems, channel, 'notify.channels[].secret', 'a slack channel has no signature', 'remove it, or use kind: webhook');
}

function checkEdges(edges: readonly Group[], known: readonly string[], problems: Problems): void {
  const seen = new Set<string>();
  for (const edge of edges) {
    for (const key of ['lineage.edges[].from', 'lineage.edges[].to'] as const) {
      const airflow = edge.get(key)?.airflow;
      if (airflow === undefined || known.includes(airflow)) continue;
      const near = nearest(airflow, known);
      note(
        problems,
        edge,
        key,
        `no Airflow has the id '${airflow}'`,
        near ? `did you mean ${near}?` : `known: ${known.join(', ') || 'none'}`,
      );
    }
    const [from, to] = [edge.get('lineage.edges[].from'), edge.get('lineage.edges[].to')];
    if (!from || !to) continue;
    const link = `${from.airflow}/${from.dagId} -> ${to.airflow}/${to.dagId}`;
    if (from.airflow === to.airflow && from.dagId === to.dagId)
      note(problems, edge, 'lineage.edges[].to', 'a DAG cannot be downstream of itself');
    else if (seen.has(link)) note(problems, edge, 'lineage.edges[].to', `${link} stands here twice`);
    seen.add(link);
  }
}
