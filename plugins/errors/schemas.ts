import { Type } from 'typebox'
import { OneOf } from '../../src/kernel/schemas.ts'

const FieldProblemSchema = Type.Object({
  in: OneOf(['body', 'query', 'params', 'headers']),
  pointer: Type.String({ maxLength: 512, description: 'JSON pointer (RFC 6901) to the refused place' }),
  code: Type.String({ maxLength: 64 }),
  detail: Type.String({ maxLength: 500 })
}, { additionalProperties: false })

/** The one form of every failure (RFC 9457); members of an error's own stand beside these. */
export const ProblemSchema = Type.Object({
  type: Type.String({ maxLength: 512, description: 'Page of the code' }),
  title: Type.String({ maxLength: 500, description: 'One sentence, the same for every occurrence' }),
  status: Type.Integer({ minimum: 400, maximum: 599 }),
  detail: Type.Optional(Type.String({ maxLength: 1000, description: 'What happened this time' })),
  instance: Type.String({ maxLength: 128 }),
  code: Type.String({ maxLength: 128, description: 'Stable; clients act on it' }),
  kind: OneOf(['invalid', 'unauthenticated', 'forbidden', 'not_found', 'conflict', 'rate_limited', 'unavailable']),
  requestId: Type.String({ maxLength: 64 }),
  traceId: Type.Optional(Type.String({ maxLength: 32 })),
  errors: Type.Optional(Type.Array(FieldProblemSchema, { maxItems: 20 })),
  retryAfterMs: Type.Optional(Type.Integer({ minimum: 0 }))
}, { $id: 'Problem', additionalProperties: true, description: 'RFC 9457 problem details' })

export const ErrorPageSchema = Type.Object({
  code: Type.String({ maxLength: 128 }),
  kind: ProblemSchema.properties.kind,
  status: ProblemSchema.properties.status,
  title: Type.String({ maxLength: 500 }),
  advice: Type.String({ maxLength: 500, description: 'What to do' })
}, { $id: 'ErrorPage', additionalProperties: false })

export const ErrorListSchema = Type.Object({
  data: Type.Array(Type.Unsafe({ $ref: 'ErrorPage#' }), { maxItems: 2000 })
}, { $id: 'ErrorList', additionalProperties: false })
