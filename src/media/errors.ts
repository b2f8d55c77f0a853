import { defineErrors } from '../kernel/index.ts'

export const MediaError = defineErrors('media', {
  file_not_found: { kind: 'not_found', message: 'There is no such file.' },
  link_invalid: { kind: 'forbidden', message: 'The address was not signed by this server.' },
  link_expired: { kind: 'forbidden', message: 'The address has expired.' },
  range_unsatisfiable: { kind: 'invalid', status: 416, message: 'The file ends before this range.' }
})
