import { DomainError } from '../../src/kernel/index.ts'
import { FetchError } from '../../src/fetch/index.ts'

const words: ReadonlyArray<[RegExp, keyof typeof FetchError]> = [
  [/^(ERR_TLS|ERR_SSL|ERR_OSSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|EPROTO)/, 'tls_error'],
  [/^(Z_|ERR_BROTLI|ERR__ERROR_FORMAT)/, 'bad_encoding'],
  [/^UND_ERR_HEADERS_OVERFLOW$/, 'too_large'],
  [/^UND_ERR_INVALID_ARG$/, 'bad_url'],
  [/^UND_ERR_(CONNECT|HEADERS|BODY)_TIMEOUT$/, 'timeout']
]

/** The error of a failed exchange by our own words; an abort of the caller stays what it was. */
export function toFetchError (error: unknown, signal?: AbortSignal): Error {
  if (error instanceof DomainError) return error
  if (signal?.aborted === true) return signal.reason instanceof Error ? signal.reason : error as Error
  const { code } = error as { code?: unknown }
  const text = typeof code === 'string' ? code : ''
  const [, key] = words.find(([pattern]) => pattern.test(text)) ?? []
  return FetchError[key ?? 'connect_failed']({}, { cause: error })
}
