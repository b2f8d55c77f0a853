import { Type } from 'typebox'
import { defineJob, defineSubscriber, runDead } from '../kernel/index.ts'
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

/** Key of the run that carries a download since it was asked for, or resumed the last time. */
export function runKeyOf ({ _id, resumes }: { _id: string, resumes: number }): string {
  return resumes === 0 ? `download:${_id}` : `download:${_id}:${resumes}`
}

/** A run that died of what ends no download by itself takes its download along. */
export const endDownload = defineSubscriber({
  name: 'fetch.end-download', event: runDead, when: ({ name }) => name === downloadFile.name
})

/**
 * Meant for every ten minutes: ends downloads whose run is no more, and clears the part files of the machine that runs
 * it.
 */
export const sweepParts = defineJob({
  name: 'fetch.sweep-parts',
  queue: 'upkeep',
  data: Type.Object({}, { additionalProperties: false }),
  result: Type.Object({
    ended: Type.Integer({ minimum: 0 }), removed: Type.Integer({ minimum: 0 })
  }, { additionalProperties: false })
})
