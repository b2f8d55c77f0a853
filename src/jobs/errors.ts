import { defineErrors } from '../kernel/index.ts'

export const JobsError = defineErrors('jobs', {
  run_not_found: { kind: 'not_found', message: 'No run has this id.' },
  schema_mismatch: { kind: 'invalid', message: 'The data does not match the schema of its job or event.' },
  data_too_large: { kind: 'invalid', message: 'The data of a run is over 32 KiB: store it and pass a reference.' },
  unknown_job: { kind: 'invalid', message: 'No job of this name is declared.' },
  key_reused: { kind: 'conflict', message: 'A run with this key and other data exists already.' },
  report_not_found: { kind: 'not_found', message: 'No report has this name.' },
  projection_not_found: { kind: 'not_found', message: 'No projection has this name.' },
  backup_not_found: { kind: 'not_found', message: 'No backup has this id, or nothing of it is stored any more.' },
  backup_key_missing: {
    kind: 'conflict', message: 'Backups need a key: set BACKUP_KEY to 32 random bytes in base64 or hex.'
  },
  backup_window: {
    kind: 'conflict', message: 'The database was too large to be read while the server remembers one instant of it.'
  },
  backup_damaged: { kind: 'conflict', message: 'The backup is damaged.' },
  disk: { kind: 'unavailable', message: 'There is no room left where this should be stored.' },
  stale_version: { kind: 'conflict', message: 'The subject has an event of this version already.' }
})
