import { Type } from 'typebox'
import { defineErrors } from '../kernel/index.ts'
import { Id } from '../kernel/schemas.ts'

const platform = Type.Optional(Type.Object({
  name: Type.Optional(Type.String({ maxLength: 64 })),
  status: Type.Optional(Type.Integer()),
  code: Type.Optional(Type.String({ maxLength: 200 })),
  handles: Type.Optional(Type.Array(Type.String({ maxLength: 300 }), { maxItems: 2 }))
}, { additionalProperties: false }))
const details = Type.Object({
  id: Type.Optional(Id),
  platform
}, { additionalProperties: false })

/** Everything a caller may be told by this domain; codes and tokens of a platform never ride along. */
export const SocialError = defineErrors('social', {
  platform_unknown: { kind: 'invalid', message: 'This platform is not known here.' },
  instance_refused: { kind: 'invalid', message: 'This server address may not be called.' },
  connect_state_unknown: { kind: 'invalid', message: 'This sign-in was not started here, or is over.' },
  report_unknown: { kind: 'invalid', message: 'There is no report of this name.' },
  range_too_wide: { kind: 'invalid', message: 'A report covers at most 400 days.' },
  connect_denied: { kind: 'forbidden', message: 'The platform refused the sign-in.', details },
  scope_missing: { kind: 'forbidden', message: 'The platform did not grant every right that is needed.', details },
  asset_policy: { kind: 'forbidden', message: 'The media policy of the account excludes this file.', details },
  account_not_found: { kind: 'not_found', message: 'No account has this id.', details },
  connection_not_found: { kind: 'not_found', message: 'No connection has this id.', details },
  post_not_found: { kind: 'not_found', message: 'No post has this id.', details },
  asset_not_found: { kind: 'not_found', message: 'No asset has this id.', details },
  asset_gone: { kind: 'not_found', message: 'The platform does not have this file any more.', details },
  account_duplicate: { kind: 'conflict', message: 'This account is connected already.', details },
  account_needs_reauth: { kind: 'conflict', message: 'The account must be signed in again first.', details },
  account_disconnected: { kind: 'conflict', message: 'The account is disconnected.', details },
  sync_running: { kind: 'conflict', message: 'A sync of this account is running.', details },
  platform_throttled: { kind: 'rate_limited', message: 'The platform asks for a pause.', details },
  instance_unreachable: { kind: 'unavailable', message: 'The server of the platform does not answer.', details },
  platform_down: { kind: 'unavailable', message: 'The platform answers with an error of its own.', details },
  upstream_answer_invalid: {
    kind: 'unavailable', message: 'The platform answered something that cannot be read.', details
  },
  secret_unreadable: { kind: 'unavailable', message: 'The key that seals this token is not at hand.', details }
})
