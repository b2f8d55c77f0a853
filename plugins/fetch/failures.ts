import { DomainError } from '../../src/kernel/index.ts'
import { FetchError } from '../../src/fetch/index.ts'

const words: ReadonlyArray<[RegExp, keyof typeof FetchError]> = [
  [
    new RegExp('^(ERR_TLS|ERR_SSL|ERR_OSSL|CERT_|CRL_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|EPROTO|' +
      'INVALID_(CA|PURPOSE)|PATH_LENGTH_EXCEEDED|ERROR_IN_CERT)'),
    'tls_error'
  ],
  [/^(Z_|ERR_BROTLI|ERR__ERROR_FORMAT)/, 'bad_encoding'],
  [/^UND_ERR_HEADERS_OVERFLOW$/, 'too_large'],
  [/^UND_ERR_INVALID_ARG$/, 'bad_url'],
  [/^UND_ERR_(CONNECT|HEADERS|BODY)_TIMEOUT$/, 'timeout']
]

/** The error of a failed exchange by our own words, unless a watch had a `reason` to end it. */
export function toFetchError (error: unknown, reason: Error | undefined): Error {
  if (error instanceof DomainError) return error
  if (reason !== undefined) return reason
  const { code } = error as { code?: unknown }
  const text = typeof code === 'string' ? code : ''
  const [, key = 'connect_failed'] = words.find(([pattern]) => pattern.test(text)) ?? []
  const details = key === 'tls_error' ? { reason: text.slice(0, 64) } : {}
  return FetchError[key](details, { cause: error })
}
