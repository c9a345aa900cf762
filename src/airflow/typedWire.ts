/** The wire with the types of our own description of Airflow's API: a path, a query key or a field that is not described does not compile. */
import { type Answer, type CallSpec, ShapeError, type Wire } from './wire.ts';

type Operation<Paths, P extends keyof Paths, M extends string> = M extends keyof Paths[P] ? Paths[P][M] : never;

/** Paths that have this method. */
export type PathWith<Paths, M extends string> = {
  [P in keyof Paths]: Paths[P] extends { readonly [K in M]: object } ? P : never;
}[keyof Paths];

type BodyOf<Op> = Op extends { responses: { 200: { content: { 'application/json': infer Body } } } } ? Body : never;
type QueryOf<Op> = Op extends { parameters: { query?: infer Q } } ? Q : never;
type SentOf<Op> = Op extends { requestBody: { content: { 'application/json': infer Body } } } ? Body : undefined;

export type TypedSpec<Op> = Omit<CallSpec, 'query' | 'body'> & {
  readonly query?: QueryOf<Op>;
} & (SentOf<Op> extends undefined ? object : { readonly body: SentOf<Op> });

export interface TypedWire<Paths> {
  get<P extends PathWith<Paths, 'get'>, T>(
    path: P,
    spec: TypedSpec<Operation<Paths, P, 'get'>>,
    read: (body: BodyOf<Operation<Paths, P, 'get'>>) => T,
  ): Promise<T>;
  patch<P extends PathWith<Paths, 'patch'>, T>(
    path: P,
    spec: TypedSpec<Operation<Paths, P, 'patch'>>,
    read: (body: BodyOf<Operation<Paths, P, 'patch'>>) => T,
  ): Promise<T>;
  post<P extends PathWith<Paths, 'post'>, T>(
    path: P,
    spec: TypedSpec<Operation<Paths, P, 'post'>>,
    read: (body: BodyOf<Operation<Paths, P, 'post'>>) => T,
  ): Promise<T>;
  put<P extends PathWith<Paths, 'put'>, T>(
    path: P,
    spec: TypedSpec<Operation<Paths, P, 'put'>>,
    read: (body: BodyOf<Operation<Paths, P, 'put'>>) => T,
  ): Promise<T>;
}

export const typed = <Paths>(wire: Wire): TypedWire<Paths> => {
  // The description says what the body should be; what really came is checked field by field where it is translated.
  const bodyFor =
    <Body, T>(read: (body: Body) => T) =>
    (answer: Answer): T =>
      read(answer.body as Body);
  return {
    get: (path, spec, read) => wire.call('get', String(path), spec as CallSpec, bodyFor(read)),
    patch: (path, spec, read) => wire.call('patch', String(path), spec as CallSpec, bodyFor(read)),
    post: (path, spec, read) => wire.call('post', String(path), spec as CallSpec, bodyFor(read)),
    put: (path, spec, read) => wire.call('put', String(path), spec as CallSpec, bodyFor(read)),
  };
};

/** The list in a collection answer. */
export const rows = <Row>(list: readonly Row[] | undefined, name: string): readonly Row[] => {
  if (!Array.isArray(list)) throw new ShapeError(`the answer has no list "${name}"`);
  return list;
};
