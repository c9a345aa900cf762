/** OpenAPI 3.0 and 3.1 schemas, reduced to what a comparison needs. Pure. */

export type Json = { readonly [key: string]: unknown };

export interface Shape {
  readonly types: ReadonlySet<string>;
  readonly fields: ReadonlyMap<string, Shape>;
  readonly required: ReadonlySet<string>;
  readonly items: Shape | null;
  readonly values: ReadonlySet<unknown> | null;
}

const object = (value: unknown): Json => (typeof value === 'object' && value !== null ? (value as Json) : {});
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

export const resolveRef = (doc: Json, node: unknown): Json => {
  const { $ref } = object(node) as { $ref?: string };
  if ($ref === undefined) return object(node);
  const found = $ref
    .replace(/^#\//, '')
    .split('/')
    .reduce<unknown>((at, part) => object(at)[part.replaceAll('~1', '/').replaceAll('~0', '~')], doc);
  return resolveRef(doc, found);
};

/** Unions are put together: the comparison asks what may come, not which of several shapes came. Recursion ends at `depth`. */
export const shapeOf = (doc: Json, node: unknown, depth = 6): Shape => {
  const schema = resolveRef(doc, node);
  const own = ownShape(doc, schema, depth);
  const parts = ['allOf', 'anyOf', 'oneOf'].flatMap((key) =>
    list(schema[key]).map((part) => ({ key, shape: shapeOf(doc, part, depth - 1) })),
  );
  return depth <= 0 ? own : parts.reduce((sum, { key, shape }) => merged(sum, shape, key === 'allOf'), own);
};

const ownShape = (doc: Json, schema: Json, depth: number): Shape => {
  const types = new Set(typeof schema.type === 'string' ? [schema.type] : (list(schema.type) as string[]));
  if (schema.nullable === true) types.add('null');
  const inner = depth <= 0 ? [] : Object.entries(object(schema.properties));
  return {
    types,
    fields: new Map(inner.map(([name, one]) => [name, shapeOf(doc, one, depth - 1)])),
    required: new Set(list(schema.required) as string[]),
    items: schema.items === undefined || depth <= 0 ? null : shapeOf(doc, schema.items, depth - 1),
    values: Array.isArray(schema.enum) ? new Set(schema.enum) : null,
  };
};

const merged = (a: Shape, b: Shape, both: boolean): Shape => ({
  types: new Set([...a.types, ...b.types]),
  fields: new Map([...b.fields, ...a.fields]),
  required: both
    ? new Set([...a.required, ...b.required])
    : a.required.size === 0
      ? b.required
      : new Set([...a.required].filter((name) => b.required.has(name))),
  items: a.items ?? b.items,
  values: a.values === null && b.values === null ? null : new Set([...(a.values ?? []), ...(b.values ?? [])]),
});

export interface Operation {
  readonly parameters: ReadonlyMap<string, Shape>;
  readonly body: Shape | null;
  readonly answer: Shape | null;
}

export const operationOf = (doc: Json, path: string, method: string): Operation | null => {
  const item = object(object(doc.paths)[path]);
  if (item[method] === undefined) return null;
  const operation = object(item[method]);
  const parameters = [...list(item.parameters), ...list(operation.parameters)].map((one) => resolveRef(doc, one));
  const responses = object(operation.responses);
  const ok = resolveRef(doc, responses['200'] ?? responses['201'] ?? {});
  return {
    parameters: new Map(parameters.map((one) => [`${one.in} ${one.name}`, shapeOf(doc, one.schema)])),
    body: jsonShape(doc, resolveRef(doc, operation.requestBody)),
    answer: jsonShape(doc, ok),
  };
};

const jsonShape = (doc: Json, holder: Json): Shape | null => {
  const schema = object(object(holder.content)['application/json']).schema;
  return schema === undefined ? null : shapeOf(doc, schema);
};
