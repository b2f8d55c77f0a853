import { Type } from 'typebox'
import { defineEvent } from '../../kernel/index.ts'
import { Id } from '../../kernel/schemas.ts'

const closed = { additionalProperties: false }
const seconds = Type.Integer({ minimum: 0 })

/** A backup came back whole; `rpoS` is the age of its data, `rtoS` the time of the restore. */
export const backupProven = defineEvent({
  name: 'jobs.backup.proven', data: Type.Object({ backupId: Id, rpoS: seconds, rtoS: seconds }, closed)
})

export const backupFailed = defineEvent({
  name: 'jobs.backup.failed',
  data: Type.Object({
    backupId: Id, code: Type.String({ maxLength: 128 }), message: Type.String({ maxLength: 500 })
  }, closed)
})

export const reportReady = defineEvent({
  name: 'jobs.report.ready',
  data: Type.Object({
    workspaceId: Type.String({ maxLength: 64 }),
    reportId: Id,
    name: Type.String({ maxLength: 128 }),
    period: Type.String({ maxLength: 10 }),
    revision: Type.Integer({ minimum: 1 })
  }, closed)
})

export const standingEvents = [backupProven, backupFailed, reportReady]
