import type { components } from './schema-service.d.ts';

type Immutable<T> = T extends readonly (infer Item)[]
  ? readonly Immutable<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Immutable<T[Key]> }
    : T;

/** What openapi/service.yaml names, as values that nobody changes. */
export type Api = Immutable<components['schemas']>;
