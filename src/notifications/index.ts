export { NotificationsError } from './errors.ts'
export {
  inboxChanged, messageFailed, messageSent, messageUnknown, publishInbox, startAlertRaised, startAlertResolved,
  startVerifyEmail
} from './events.ts'
export { collections } from './indexes.ts'
export { advanceRun, fanOutTrigger, sendEmail } from './jobs.ts'
export { presentItem } from './present.ts'
export { createRepositories } from './repository/index.ts'
export {
  CapturedMailListSchema, InboxCountersSchema, InboxFilter, InboxPageSchema, UpToSchema, itemActions, schemas
} from './schemas.ts'
export { createNotifications, type NotificationsService } from './service.ts'
export { parseTemplate, templateKeys, type Templates } from './templates.ts'
export { InboxTopic } from './topics.ts'
