import { Type, type Static, type TSchema, type TUnsafe } from 'typebox'

/** Patterns by name; each is linear in the length of its input. */
export const patterns = {
  uuid: '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$',
  instant: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,6})?Z$',
  sha256: '^[0-9a-f]{64}$',
  opaque: '^[A-Za-z0-9_-]+$'
} as const

export const Id = Type.String({ pattern: patterns.uuid, maxLength: 36, description: 'UUIDv7' })
export const At = Type.String({ pattern: patterns.instant, maxLength: 32, description: 'RFC 3339 instant in UTC' })
export const Sha256 = Type.String({ pattern: patterns.sha256, maxLength: 64 })

/** A value or null. */
export function Nullable<T extends TSchema> (schema: T) {
  return Type.Union([schema, Type.Null()])
}

/** A closed list of words. */
export function OneOf<const T extends readonly string[]> (words: T, options: { description?: string } = {}) {
  return Type.Unsafe<T[number]>({ type: 'string', enum: [...words], maxLength: 64, ...options } as TSchema)
}

/** A typed `$ref` to a schema that stands under its `$id` in the app; the name of the component. */
export function ref<T extends TSchema> (schema: T): TUnsafe<Static<T>> {
  const { $id } = schema as { $id?: string }
  if ($id === undefined) throw new Error('ref() needs a schema with an $id')
  return Type.Unsafe<Static<T>>({ $ref: `${$id}#` } as TSchema)
}

/** Parameters of a route that ends in `/:id`. */
export const IdParams = Type.Object({ id: Id }, { $id: 'IdParams', additionalProperties: false })

export const PositionSchema = Type.Object({
  channel: Type.String({ maxLength: 128 }),
  epoch: Type.String({ maxLength: 64 }),
  offset: Type.Integer({ minimum: 0 }),
  mid: Nullable(Type.String({ maxLength: 64 }))
}, { $id: 'Position', additionalProperties: false, description: 'Where a list stands in its live channel' })
export type Position = Static<typeof PositionSchema>

export const PageInfoSchema = Type.Object({
  next: Type.Optional(Type.String({ maxLength: 1024 })),
  prev: Type.Optional(Type.String({ maxLength: 1024 })),
  hasMore: Type.Boolean()
}, { $id: 'PageInfo', additionalProperties: false })
export type PageInfo = Static<typeof PageInfoSchema>

/** The one form of every list: `{ data, page, position? }`. The `$id` is the name of the component. */
export function pageOf<T extends TSchema> (item: T, $id: string) {
  return Type.Object({
    data: Type.Array(ref(item), { maxItems: 500 }),
    page: ref(PageInfoSchema),
    position: Type.Optional(ref(PositionSchema))
  }, { $id, additionalProperties: false })
}

/** `limit` and `cursor` of every list; spread into the query schema of a route. */
export const pageQuery = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 25 })),
  cursor: Type.Optional(Type.String({ maxLength: 1024 }))
}

export const OperationSchema = Type.Object({
  id: Id,
  type: Type.String({ maxLength: 128 }),
  state: OneOf(['pending', 'running', 'succeeded', 'failed', 'cancelled']),
  progress: Type.Optional(Type.Object({
    done: Type.Number(),
    total: Type.Optional(Type.Number()),
    unit: Type.Optional(Type.String({ maxLength: 32 })),
    step: Type.Optional(Type.String({ maxLength: 64 }))
  }, { additionalProperties: false })),
  problem: Type.Optional(Type.Object({
    code: Type.String({ maxLength: 128 }), title: Type.String({ maxLength: 500 })
  }, { additionalProperties: false })),
  createdAt: At,
  updatedAt: At,
  expiresAt: Nullable(At)
}, { $id: 'Operation', additionalProperties: false, description: 'A long task; the face of a run for its owner' })
export type Operation = Static<typeof OperationSchema>

/** Throws where a schema has a member marked secret: what is stored and shown must not carry it. */
export function refuseSecrets (name: string, schema: TSchema): void {
  const at = secretIn(schema, '', new Set())
  if (at === undefined) return
  throw new Error(`${name} has a secret in its schema at ${at || '/'}: pass a reference to the vault instead`)
}

function secretIn (schema: unknown, at: string, seen: Set<unknown>): string | undefined {
  if (typeof schema !== 'object' || schema === null || seen.has(schema)) return undefined
  seen.add(schema)
  if ((schema as { sensitive?: unknown }).sensitive === 'secret') return at
  for (const [name, inner] of Object.entries(schema)) {
    const found = secretIn(inner, `${at}/${name}`, seen)
    if (found !== undefined) return found
  }
  return undefined
}
