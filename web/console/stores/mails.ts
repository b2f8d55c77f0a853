import { createList } from './list.ts'
import type { CapturedMail } from './shapes.ts'

export const mailsPath = '/v1/notifications/captured-mails'

/** Mails that were kept instead of sent; there is no page size, the newest 200 are kept. */
export const mails = createList<CapturedMail>({ path: mailsPath, idOf: ({ id }) => id, isWhole: true, isPublic: true })
