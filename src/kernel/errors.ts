import type { TSchema } from 'typebox'

export type ErrorKind =
  'invalid' | 'unauthenticated' | 'forbidden' | 'not_found' | 'conflict' | 'rate_limited' | 'unavailable'

export interface ErrorDeclaration {
  kind: ErrorKind
  /** One English sentence, never changed per occurrence. */
  message: string
  /** HTTP status where it is not the one of the kind. */
  status?: number
  /** Schema of the extra members that ride along. */
  details?: TSchema
}

export interface ErrorDefinition extends ErrorDeclaration {
  code: string
  status: number
}

/** One refused place of an input, as it stands in the `errors` member of a problem. */
export interface FieldProblem {
  in: 'body' | 'query' | 'params' | 'headers'
  pointer: string
  code: string
  detail: string
}

export interface ErrorOptions {
  /** What exactly happened this time; shown to the caller. */
  detail?: string
  errors?: FieldProblem[]
  retryAfterMs?: number
  cause?: unknown
}

/** Every error that a caller may see: a stable code, a kind, and declared details. */
export class DomainError extends Error {
  override readonly name = 'DomainError'
  readonly definition: ErrorDefinition
  readonly details: Record<string, unknown>
  readonly options: ErrorOptions

  constructor (definition: ErrorDefinition, details: Record<string, unknown>, options: ErrorOptions) {
    super(options.detail ?? definition.message, options.cause === undefined ? {} : { cause: options.cause })
    this.definition = definition
    this.details = details
    this.options = options
  }

  get code (): string { return this.definition.code }
  get kind (): ErrorKind { return this.definition.kind }
}

export type ErrorFactory =
  ((details?: Record<string, unknown>, options?: ErrorOptions) => DomainError) & { definition: ErrorDefinition }

export type ErrorTable<K extends string = string> = Record<K, ErrorFactory>

const statusOf: Record<ErrorKind, number> = {
  invalid: 422,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  rate_limited: 429,
  unavailable: 503
}

/** A table of factories: `throw SocialError.account_not_found({ id })`. The code is `<domain>.<key>` for ever. */
export function defineErrors<K extends string> (domain: string, table: Record<K, ErrorDeclaration>): ErrorTable<K> {
  const entries = Object.entries<ErrorDeclaration>(table).map(([key, declaration]) => {
    const definition: ErrorDefinition =
      { ...declaration, code: `${domain}.${key}`, status: declaration.status ?? statusOf[declaration.kind] }
    const factory: ErrorFactory = Object.assign(
      (details: Record<string, unknown> = {}, options: ErrorOptions = {}) =>
        new DomainError(definition, details, options),
      { definition })
    return [key, factory] as const
  })
  return Object.fromEntries(entries) as ErrorTable<K>
}

/** Whether a thrown thing is a domain error, and of this code where one is named. */
export function isDomainError (error: unknown, code?: string): error is DomainError {
  return error instanceof DomainError && (code === undefined || error.code === code)
}

/** Errors of the HTTP protocol itself (`conventions.md` 3.2). */
export const HttpError = defineErrors('http', {
  malformed_json: { kind: 'invalid', status: 400, message: 'The body is not valid JSON.' },
  validation_failed: { kind: 'invalid', status: 400, message: 'The request does not match the schema of this route.' },
  cursor_invalid: { kind: 'invalid', status: 400, message: 'The cursor was not made for this list.' },
  forbidden_key: { kind: 'invalid', status: 400, message: 'The body has a key that is not allowed.' },
  bad_request: { kind: 'invalid', status: 400, message: 'The request cannot be read.' },
  idempotency_key_missing: { kind: 'invalid', status: 400, message: 'This route needs an Idempotency-Key.' },
  step_up_required: { kind: 'unauthenticated', status: 401, message: 'This needs a fresh proof of presence.' },
  csrf_rejected: { kind: 'forbidden', message: 'The request does not come from our own pages.' },
  origin_forbidden: { kind: 'forbidden', message: 'This origin may not call this server.' },
  route_not_found: { kind: 'not_found', message: 'There is no such route.' },
  method_not_allowed: { kind: 'invalid', status: 405, message: 'This route does not know the method.' },
  not_acceptable: { kind: 'invalid', status: 406, message: 'No representation matches the Accept header.' },
  body_timeout: { kind: 'invalid', status: 408, message: 'The body did not arrive in time.' },
  idempotency_in_progress: { kind: 'conflict', message: 'A request with this key is still at work.' },
  precondition_failed: { kind: 'conflict', status: 412, message: 'The resource has changed since it was read.' },
  payload_too_large: { kind: 'invalid', status: 413, message: 'The body is too large.' },
  uri_too_long: { kind: 'invalid', status: 414, message: 'The address is too long.' },
  unsupported_media_type: { kind: 'invalid', status: 415, message: 'This content type is not understood here.' },
  idempotency_key_reused: { kind: 'invalid', status: 422, message: 'The key was used for another request.' },
  precondition_required: { kind: 'invalid', status: 428, message: 'This route needs an If-Match header.' },
  rate_limited: { kind: 'rate_limited', message: 'Too many requests.' },
  headers_too_large: { kind: 'invalid', status: 431, message: 'The headers are too large.' },
  internal: { kind: 'unavailable', status: 500, message: 'Something broke on our side.' },
  domain_disabled: { kind: 'unavailable', status: 501, message: 'This domain is switched off here.' },
  deadline_exceeded: { kind: 'unavailable', message: 'The deadline of the request passed.' },
  overloaded: { kind: 'unavailable', message: 'The server is overloaded.' },
  draining: { kind: 'unavailable', message: 'The server is going down; ask another one.' },
  store_unavailable: { kind: 'unavailable', message: 'A store does not answer.' }
})
