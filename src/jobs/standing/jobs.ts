import { Type } from 'typebox'
import { defineJob } from '../../kernel/index.ts'
import { Id, Nullable } from '../../kernel/schemas.ts'

const closed = { additionalProperties: false }
const Nothing = Type.Object({}, closed)
const hourMs = 3_600_000

/** One after another: what a backup writes, a proof reads and a pruning removes. */
const backupSerial = (): string => 'backup'

export const clearRecords = defineJob({
  name: 'jobs.clear-records',
  queue: 'upkeep',
  lane: 'bulk',
  data: Type.Object({ isDryRun: Type.Boolean() }, closed),
  policy: { timeoutMs: 6 * hourMs },
  serial: () => 'clear-records'
})

export const backUpDatabase = defineJob({
  name: 'jobs.back-up-database', queue: 'upkeep', lane: 'bulk', data: Nothing, serial: backupSerial
})

export const proveBackup = defineJob({
  name: 'jobs.prove-backup',
  queue: 'upkeep',
  lane: 'bulk',
  /** Null: the newest. */
  data: Type.Object({ backupId: Nullable(Id) }, closed),
  policy: { timeoutMs: 6 * hourMs },
  serial: backupSerial
})

export const buildReport = defineJob({
  name: 'jobs.build-report',
  queue: 'report',
  data: Type.Object({
    workspaceId: Type.String({ maxLength: 64 }),
    name: Type.String({ maxLength: 128 }),
    period: Type.String({ maxLength: 10 }),
    zone: Type.String({ maxLength: 64 }),
    params: Type.Unknown()
  }, closed),
  serial: ({ name, period }) => `report:${name}:${period}`
})

export const startDailyReports = defineJob({ name: 'jobs.start-daily-reports', queue: 'upkeep', data: Nothing })

export const rebuildProjection = defineJob({
  name: 'jobs.rebuild-projection',
  queue: 'bulk',
  lane: 'bulk',
  data: Type.Object({ name: Type.String({ maxLength: 128 }), version: Type.Integer({ minimum: 1 }) }, closed),
  policy: { timeoutMs: 6 * hourMs },
  serial: ({ name }) => `projection:${name}`
})

export const standingJobs = [
  clearRecords, backUpDatabase, proveBackup, buildReport, startDailyReports, rebuildProjection
]
