/** Ids on their way into an address. */
import { AirflowError } from './client.ts';

export type QueryValue = string | number | boolean | readonly string[] | undefined;
/** Airflow's `~`, "all of them". A symbol, so that no id from outside can ever mean it. */
export const everything: unique symbol = Symbol('~');
export type Ids = Readonly<Record<string, string | number | typeof everything>>;

export type Query = Readonly<Record<string, QueryValue>>;

/**
 * Fills `{name}` places of a path template. An id that could reach another path is refused by name instead of being sent:
 * `..` survives encodeURIComponent, proxies decode %2F and climb, and Airflow reads `~` as "all DAGs".
 */
export const fillPath = (operation: string, template: string, ids: Ids): string =>
  template.replace(/\{(\w+)\}/g, (_, name: string) => {
    const given = ids[name] ?? '';
    if (given === everything) return '~';
    return name === 'uri' ? encodeUri(operation, String(given)) : encodeId(operation, name, String(given));
  });

/** `state=failed&state=running`: lists repeat the key, which both generations read (2.9-3.3). A `+` in a time becomes %2B: raw it is a 400 on 2.x. */
export const queryText = (query: Query): string => {
  const pairs = Object.entries(query).flatMap(([key, value]) => {
    if (value === undefined) return [];
    return (Array.isArray(value) ? value : [value]).map((one) => `${encodeURIComponent(key)}=${encodeURIComponent(String(one))}`);
  });
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
};

const encodeId = (operation: string, name: string, value: string): string => {
  const hostile =
    value === '' || value === '.' || value === '..' || value === '~' || /[\p{Cc}/\\]/u.test(value) || value.length > 250;
  if (hostile || !value.isWellFormed()) throw badId(operation, name, value);
  return encodeURIComponent(value);
};

/** Dataset URIs do hold slashes; 2.x takes them encoded (seen live, 2.11.2). */
const encodeUri = (operation: string, value: string): string => {
  const hostile = value === '' || /[\p{Cc}\\]/u.test(value) || value.split('/').some((part) => part === '.' || part === '..');
  if (hostile || !value.isWellFormed() || value.length > 3000) throw badId(operation, 'uri', value);
  return encodeURIComponent(value);
};

const badId = (operation: string, name: string, value: string): AirflowError => {
  const shown = JSON.stringify(value.slice(0, 60).toWellFormed());
  return new AirflowError('bad_id', `${shown} cannot be used as a ${name}`, { outcome: 'none', operation });
};
