import { defineTopic } from '../kernel/index.ts'
import { DownloadProgressSchema } from './schemas.ts'

/** One transfer of any purpose, for whoever asked for it. */
export const downloadTopic = defineTopic('fetch.download:{downloadId}', {
  class: 'state',
  source: 'document',
  kinds: { download: DownloadProgressSchema },
  rate: { perKeyPerSec: 2, edges: ['state'] }
})
