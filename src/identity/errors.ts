import { Type } from 'typebox'
import { defineErrors } from '../kernel/index.ts'

export const IdentityError = defineErrors('identity', {
  login_failed: { kind: 'unauthenticated', message: 'Address or password is wrong.' },
  token_missing: { kind: 'unauthenticated', message: 'This route needs a proof of who is asking.' },
  token_invalid: { kind: 'unauthenticated', message: 'The token is not one of ours.' },
  token_expired: { kind: 'unauthenticated', message: 'The token has expired.' },
  token_stale: {
    kind: 'unauthenticated', message: 'Rights have changed since the token was made; refresh and repeat.'
  },
  session_ended: { kind: 'unauthenticated', message: 'The session has ended.' },
  permission_denied: {
    kind: 'forbidden', message: 'The role of the caller does not allow this.',
    details: Type.Object({ permission: Type.Optional(Type.String({ maxLength: 128 })) })
  },
  suspended: { kind: 'forbidden', message: 'The account is suspended.' },
  password_change_required: { kind: 'forbidden', message: 'The one-time password has to be changed first.' },
  flow_expired: { kind: 'invalid', message: 'The flow has expired; start again.' },
  flow_invalid: { kind: 'invalid', message: 'There is no such flow, or it has ended.' },
  code_wrong: { kind: 'invalid', message: 'The code is wrong or has expired.' },
  weak_password: {
    kind: 'invalid', message: 'The password is too easy to guess.',
    details: Type.Object({ reasons: Type.Array(Type.String({ maxLength: 64 }), { maxItems: 8 }) })
  },
  cipher_invalid: { kind: 'invalid', message: 'The sealed bytes were changed or moved.' },
  user_not_found: { kind: 'not_found', message: 'No user has this id.' },
  session_not_found: { kind: 'not_found', message: 'No session of this account has this id.' },
  workspace_not_found: { kind: 'not_found', message: 'No workspace of this account has this id.' },
  too_many_attempts: { kind: 'rate_limited', message: 'Too many attempts.' },
  hasher_busy: { kind: 'unavailable', message: 'Too many passwords are being checked.' },
  key_unknown: { kind: 'unavailable', message: 'The master key that sealed this is not at hand.' },
  store_unavailable: { kind: 'unavailable', message: 'Sessions cannot be written at the moment.' }
})
