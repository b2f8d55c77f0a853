import { Type } from 'typebox'
import { defineJob } from '../kernel/index.ts'
import { Id } from '../kernel/schemas.ts'

export const downloadFile = defineJob({
  name: 'fetch.download-file',
  queue: 'download',
  data: Type.Object({
    workspaceId: Id, downloadId: Id, host: Type.String({ maxLength: 300 })
  }, { additionalProperties: false }),
  policy: { attempts: 20, backoff: 'net' },
  target: ({ host }) => host
})
