import { type RawBuilder, sql } from 'kysely';

/** For `in`: one parameter, however many they are. As many statements as there are lengths of lists were compiled, and kept. */
export const among = <T extends string | number>(values: readonly T[]): RawBuilder<T> =>
  sql<T>`(select value from json_each(${JSON.stringify(values)}))`;
