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

/** Meant for every ten minutes: clears the part files of the machine that runs it. */
export const sweepParts = defineJob({
  name: 'fetch.sweep-parts',
  queue: 'upkeep',
  data: Type.Object({}, { additionalProperties: false }),
  result: Type.Object({ removed: Type.Integer({ minimum: 0 }) }, { additionalProperties: false })
})
