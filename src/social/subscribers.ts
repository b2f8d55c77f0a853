import { downloadFailed } from '../fetch/index.ts'
import { defineSubscriber } from '../kernel/index.ts'
import { accountHealthChanged, postsSynced } from './events.ts'

export const publishPosts = defineSubscriber({ name: 'social.publish-posts', event: postsSynced, order: 'subject' })
export const publishHealth = defineSubscriber({
  name: 'social.publish-health', event: accountHealthChanged, order: 'subject'
})
export const noteFailedDownload = defineSubscriber({ name: 'social.note-failed-download', event: downloadFailed })

export const subscribers = [publishPosts, publishHealth, noteFailedDownload]
