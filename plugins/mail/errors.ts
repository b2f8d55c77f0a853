import { defineErrors } from '../../src/kernel/index.ts'

/** Answers of a mail server by what may be done next (`notifications.md` 4.7). */
export const MailError = defineErrors('mail', {
  address_invalid: { kind: 'invalid', message: 'The address cannot be written to.' },
  not_accepted: { kind: 'unavailable', message: 'The mail server did not take the mail; it may later.' },
  throttled: { kind: 'rate_limited', message: 'The mail server asks for a slower pace.' },
  ambiguous: { kind: 'conflict', message: 'The connection was lost when the mail may have been taken.' },
  target_gone: { kind: 'not_found', message: 'The mailbox does not exist.' },
  content_refused: { kind: 'invalid', message: 'The mail server refuses this mail.' },
  misconfigured: { kind: 'unavailable', message: 'The mail server refuses our credentials.' }
})
