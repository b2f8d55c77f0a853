import { defineSchedule, type ScheduleDefinition } from '../../kernel/index.ts'
import { backUpDatabase, clearRecords, proveBackup, startDailyReports } from './jobs.ts'

/**
 * Nights that fail are never paused: the next one after the key is there, or the disk has room, is a backup again. A
 * proof is neither.
 */
const pauseAfter = 0

/** The timetable of this slice (`jobs.md` 4.10). */
export function standingSchedules ({ wantsBackups }: { wantsBackups: boolean }): readonly ScheduleDefinition[] {
  const backups = [
    defineSchedule({
      name: 'jobs.back-up-nightly', job: backUpDatabase, data: {}, spec: { cron: '0 3 * * *' }, pauseAfter
    }),
    defineSchedule({
      name: 'jobs.prove-backup-weekly', job: proveBackup, data: { backupId: null }, spec: { cron: '0 5 * * SUN' },
      pauseAfter
    })
  ]
  return [
    // Reports are due at 02:00 in the zone of each workspace: zones differ by quarters of an hour.
    defineSchedule({
      name: 'jobs.start-reports', job: startDailyReports, data: {}, spec: { cron: '*/15 * * * *' }
    }),
    defineSchedule({
      name: 'jobs.clear-records-weekly', job: clearRecords, data: { isDryRun: false }, spec: { cron: '0 4 * * SUN' }
    }),
    ...wantsBackups ? backups : []
  ]
}
