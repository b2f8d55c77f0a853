import type { FastifyInstance } from 'fastify'

type Json = Record<string, unknown>

interface Operation extends Json {
  parameters?: Array<{ in: string }>
  requestBody?: unknown
  security?: unknown[]
  responses: Record<string, Json>
}

interface Problem { name: string, description: string, headers?: Json }

const ref = (kind: string, name: string): Json => ({ $ref: `#/components/${kind}/${name}` })

/** Problems by status; each is a component of the document. */
const problems: Record<string, Problem> = {
  400: { name: 'BadRequest', description: 'The request does not match its schema.' },
  401: {
    name: 'Unauthenticated',
    description: 'No proof, or one that does not count.',
    headers: { 'WWW-Authenticate': ref('headers', 'WwwAuthenticate') }
  },
  403: { name: 'Forbidden', description: 'The actor may not do this.' },
  404: { name: 'NotFound', description: 'It does not exist, or not for this actor.' },
  409: { name: 'Conflict', description: 'The state of things forbids it.' },
  413: { name: 'TooLarge', description: 'The body is too large.' },
  415: { name: 'UnsupportedType', description: 'The content type is not understood.' },
  422: { name: 'Refused', description: 'A rule of the domain refuses it.' },
  429: {
    name: 'RateLimited', description: 'Too many requests.', headers: { 'Retry-After': ref('headers', 'RetryAfter') }
  },
  500: { name: 'Internal', description: 'Something broke on our side; only ids are told.' },
  503: {
    name: 'Unavailable', description: 'Ask again later.', headers: { 'Retry-After': ref('headers', 'RetryAfter') }
  }
}

const sharedHeaders: Json = {
  RequestId: { description: 'Id of the request, also in logs and problems', schema: { type: 'string', maxLength: 64 } },
  RateLimit: { description: 'What is left of the tightest bucket', schema: { type: 'string' } },
  RateLimitPolicy: { description: 'Buckets of the call: quota and seconds to refill', schema: { type: 'string' } },
  RetryAfter: { description: 'Whole seconds after which a retry makes sense', schema: { type: 'integer', minimum: 1 } },
  WwwAuthenticate: { description: 'RFC 6750 challenge', schema: { type: 'string' } },
  IdempotencyReplayed: {
    description: 'The stored answer of an earlier request with this key', schema: { const: 'true' }
  }
}

const keyParameter: Json = {
  name: 'Idempotency-Key',
  in: 'header',
  description: 'Names the call, so that a repeat has no second effect; kept for 72 hours',
  schema: { type: 'string', minLength: 1, maxLength: 255 }
}

/** The OpenAPI 3.1 document of an app that is ready: problems, shared headers and keys are added to what routes say. */
export function openapiDocument (app: FastifyInstance): Json {
  const document = structuredClone(app.swagger()) as unknown as Json & {
    paths: Record<string, Record<string, Operation>>, components: Json
  }
  for (const item of Object.values(document.paths)) {
    // HEAD answers like GET everywhere: it is no operation of its own.
    if (item['get'] !== undefined) delete item['head']
    for (const [method, operation] of Object.entries(item)) complete(operation, method)
  }
  document.paths = sorted(document.paths)
  document.components = sorted({
    ...document.components,
    schemas: sorted(document.components['schemas'] as Json),
    headers: sharedHeaders,
    parameters: { IdempotencyKey: keyParameter },
    responses: Object.fromEntries(Object.values(problems).map(toComponent))
  })
  return document
}

function toComponent ({ name, description, headers = {} }: Problem): [string, Json] {
  return [name, {
    description,
    headers: { 'X-Request-Id': ref('headers', 'RequestId'), ...headers },
    content: { 'application/problem+json': { schema: ref('schemas', 'Problem') } }
  }]
}

function complete (operation: Operation, method: string): void {
  const { responses } = operation
  for (const response of Object.values(responses)) {
    response['headers'] = {
      'X-Request-Id': ref('headers', 'RequestId'), ...limitHeaders(operation), ...response['headers'] as Json
    }
    if (response['description'] === 'Default Response') response['description'] = 'Done'
  }
  for (const status of statusesOf(operation, method)) {
    const { name } = problems[status] as Problem
    responses[status] ??= ref('responses', name)
  }
  if (operation['x-idempotency'] !== undefined) {
    const isRequired = operation['x-idempotency'] === 'required'
    const parameter = isRequired ? { ...keyParameter, required: true } : ref('parameters', 'IdempotencyKey')
    operation.parameters = [...operation.parameters ?? [], parameter as { in: string }]
  }
}

function limitHeaders (operation: Operation): Json {
  return operation['x-limit'] === undefined || operation['x-limit'] === 'free'
    ? {}
    : { RateLimit: ref('headers', 'RateLimit'), 'RateLimit-Policy': ref('headers', 'RateLimitPolicy') }
}

function guardStatuses ({ security = [], 'x-limit': limit }: Operation): string[] {
  if (security.length > 0) return ['401', '403']
  // Routes without a proof where one is made.
  return limit === 'auth' || limit === 'refresh' ? ['401'] : []
}

function statusesOf (operation: Operation, method: string): string[] {
  const { parameters = [], requestBody } = operation
  const isWrite = method !== 'get' && method !== 'head'
  return [
    ...(parameters.length > 0 || requestBody !== undefined ? ['400'] : []),
    ...guardStatuses(operation),
    ...(parameters.some((parameter) => parameter.in === 'path') ? ['404'] : []),
    ...(isWrite ? ['409', '422'] : []),
    ...(requestBody === undefined ? [] : ['413', '415']),
    '429', '500', '503'
  ]
}

function sorted<T> (record: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(record ?? {}).sort(([a], [b]) => a < b ? -1 : 1))
}
