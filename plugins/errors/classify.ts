import type { FastifyError } from 'fastify'
import { DomainError, HttpError, type ErrorOptions } from '../../src/kernel/index.ts'
import { fieldProblems } from './validation.ts'

type HttpKey = keyof typeof HttpError

/** Errors of the framework by their code. */
const byCode: Record<string, HttpKey> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'payload_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_EMPTY_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'malformed_json',
  FST_ERR_CTP_INVALID_JSON_BODY: 'malformed_json',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'bad_request',
  FST_ERR_BAD_URL: 'bad_request',
  FST_ERR_MAX_PARAM_LENGTH: 'uri_too_long',
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'body_timeout'
}

const byStatus: Record<number, HttpKey> = {
  404: 'route_not_found', 405: 'method_not_allowed', 406: 'not_acceptable', 413: 'payload_too_large',
  414: 'uri_too_long', 415: 'unsupported_media_type', 429: 'rate_limited', 431: 'headers_too_large'
}

const storeErrors = new Set([
  'MongoServerSelectionError', 'MongoNetworkError', 'MongoNetworkTimeoutError', 'MongoNotConnectedError',
  'MongoWaitQueueTimeoutError', 'MongoPoolClearedError', 'MongoTopologyClosedError',
  'MaxRetriesPerRequestError', 'ClusterAllFailedError'
])

/** Every thrown thing as a domain error: what is not known is `http.internal`, with the thing as its cause. */
export function classify (error: unknown): DomainError {
  if (error instanceof DomainError) return error
  const thrown = Object(error) as Partial<FastifyError>
  if (thrown.validation !== undefined) {
    const errors = fieldProblems(thrown.validation, thrown.validationContext ?? 'body')
    return HttpError.validation_failed({}, { errors })
  }
  const options: ErrorOptions = { cause: error }
  if (storeErrors.has(thrown.name ?? '')) return HttpError.store_unavailable({}, { ...options, retryAfterMs: 1000 })
  return HttpError[keyOf(thrown)]({}, options)
}

function keyOf ({ code = '', statusCode = 500 }: Partial<FastifyError>): HttpKey {
  const known = byCode[code] ?? byStatus[statusCode]
  if (known !== undefined) return known
  return statusCode >= 400 && statusCode < 500 ? 'bad_request' : 'internal'
}
