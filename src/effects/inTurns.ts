/** So many at a time, in order: a list of hundreds must not fill the lane in which a hold waits for its survey. */
const AT_ONCE = 2;

export async function inTurns<T, R>(list: readonly T[], one: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let i = 0; i < list.length; i += AT_ONCE) results.push(...(await Promise.all(list.slice(i, i + AT_ONCE).map(one))));
  return results;
}
