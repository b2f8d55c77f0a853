import { defineErrors } from '../kernel/index.ts'

export const NotificationsError = defineErrors('notifications', {
  item_not_found: { kind: 'not_found', message: 'No item of this inbox has this id.' },
  provider_unavailable: {
    kind: 'unavailable', message: 'The mail server gave no certain answer; the mail goes out again.'
  }
})
