import { defineErrors } from '../kernel/index.ts'

export const JobsError = defineErrors('jobs', {
  run_not_found: { kind: 'not_found', message: 'No run has this id.' },
  schema_mismatch: { kind: 'invalid', message: 'The data does not match the schema of its job or event.' },
  data_too_large: {
    kind: 'invalid', message: 'The data of a run is too large: store it as a claim check and pass that.'
  },
  unknown_job: { kind: 'invalid', message: 'No job of this name is declared.' },
  key_reused: { kind: 'conflict', message: 'A run with this key and other data exists already.' },
  backlog_full: { kind: 'rate_limited', message: 'Too many runs of this workspace wait already.' },
  cycle_in_workflow: { kind: 'invalid', message: 'The runs of the workflow need each other in a circle.' },
  need_failed: { kind: 'conflict', message: 'A run that this one needs did not end well.' },
  batch_not_found: { kind: 'not_found', message: 'No batch has this id.' },
  batch_sealed: { kind: 'conflict', message: 'The batch takes no more runs.' },
  workflow_not_found: { kind: 'not_found', message: 'No workflow has this id.' },
  schedule_not_found: { kind: 'not_found', message: 'No schedule has this id.' },
  schedule_invalid: { kind: 'invalid', message: 'The schedule cannot be read.' },
  rrule_unsupported: { kind: 'invalid', message: 'This recurrence rule is not supported.' },
  zone_unknown: { kind: 'invalid', message: 'No time zone has this name.' },
  slot_in_past: { kind: 'invalid', message: 'Every slot of the rule is in the past.' },
  run_finished: { kind: 'conflict', message: 'The run is past the state in which this can be done.' },
  letter_not_found: { kind: 'not_found', message: 'No dead letter has this id.' },
  letter_closed: { kind: 'conflict', message: 'The dead letter was replayed or discarded already.' },
  replay_loop: { kind: 'conflict', message: 'The run was replayed three times already and still dies.' },
  replay_refused: { kind: 'conflict', message: 'This is not replayed: its effect must not happen again.' },
  queue_unknown: { kind: 'not_found', message: 'No queue has this name.' },
  resource_not_found: { kind: 'not_found', message: 'No resource has this name.' },
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
