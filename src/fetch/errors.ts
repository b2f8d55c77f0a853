import { Type } from 'typebox'
import { defineErrors } from '../kernel/index.ts'

const status = Type.Object({ status: Type.Integer() }, { additionalProperties: false })

const reason = Type.Object({ reason: Type.String({ maxLength: 64 }) }, { additionalProperties: false })

export const FetchError = defineErrors('fetch', {
  forbidden_target: { kind: 'forbidden', message: 'This address may not be called from here.' },
  bad_url: { kind: 'invalid', message: 'This is not an address that can be fetched.' },
  redirect_limit: { kind: 'invalid', message: 'The address redirects too often or in a circle.' },
  redirect_downgrade: { kind: 'invalid', message: 'The address redirects from https to http.' },
  dns_failed: { kind: 'unavailable', message: 'The name of the host cannot be resolved.' },
  tls_error: {
    kind: 'invalid', message: 'The certificate or the encryption of the host is not acceptable.', details: reason
  },
  connect_failed: { kind: 'unavailable', message: 'The connection failed or broke off.' },
  timeout: { kind: 'unavailable', message: 'The host did not answer in time.' },
  too_slow: { kind: 'unavailable', message: 'The host sends too slowly.' },
  too_large: { kind: 'invalid', message: 'The answer is larger than allowed.' },
  bomb: { kind: 'invalid', message: 'The answer unpacks to far more than was sent.' },
  bad_encoding: { kind: 'invalid', message: 'The answer is packed in a way that is not understood.' },
  refused: { kind: 'invalid', message: 'The host refuses to give the file.', details: status },
  host_unavailable: { kind: 'unavailable', message: 'The host cannot give the file now.', details: status },
  host_throttled: { kind: 'rate_limited', message: 'The host asks to come back later.', details: status },
  not_resumable: { kind: 'unavailable', message: 'The transfer cannot go on where it ended.' },
  changed: { kind: 'unavailable', message: 'The file changed while it was transferred.' },
  checksum: { kind: 'invalid', message: 'The bytes are not the ones that were promised.' },
  quota: { kind: 'conflict', message: 'The quota of the workspace does not allow this file.' },
  disk: { kind: 'unavailable', message: 'Too little disk space is free.' },
  type_mismatch: { kind: 'invalid', message: 'The file is not of the expected type.' },
  run_cancelled: { kind: 'conflict', message: 'The work on the download was cancelled.' },
  run_ended: { kind: 'unavailable', message: 'The work on the download ended before the file was there.' },
  download_not_found: { kind: 'not_found', message: 'There is no such download.' },
  download_ended: { kind: 'conflict', message: 'The download has ended.' }
})
