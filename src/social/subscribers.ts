import { downloadFailed } from '../fetch/index.ts'
import { defineSubscriber } from '../kernel/index.ts'
import { fileReady, fileRejected } from '../media/index.ts'
import { accountHealthChanged, postsSynced } from './events.ts'

export const publishPosts = defineSubscriber({
  name: 'social.publish-posts', event: postsSynced, order: 'subject', lane: 'interactive'
})
export const publishHealth = defineSubscriber({
  name: 'social.publish-health', event: accountHealthChanged, order: 'subject', lane: 'interactive'
})
export const noteFailedDownload = defineSubscriber({ name: 'social.note-failed-download', event: downloadFailed })
export const noteReadyFile = defineSubscriber({
  name: 'social.note-ready-file', event: fileReady, lane: 'bulk'
})
export const noteRejectedFile = defineSubscriber({
  name: 'social.note-rejected-file', event: fileRejected, lane: 'bulk'
})

export const subscribers = [publishPosts, publishHealth, noteFailedDownload, noteReadyFile, noteRejectedFile]
