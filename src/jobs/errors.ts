import { defineErrors } from '../kernel/index.ts'

export const JobsError = defineErrors('jobs', {
  run_not_found: { kind: 'not_found', message: 'No run has this id.' },
  schema_mismatch: { kind: 'invalid', message: 'The data does not match the schema of its job or event.' },
  data_too_large: { kind: 'invalid', message: 'The data of a run is over 32 KiB: store it and pass a reference.' },
  unknown_job: { kind: 'invalid', message: 'No job of this name is declared.' },
  key_reused: { kind: 'conflict', message: 'A run with this key and other data exists already.' },
  backlog_full: { kind: 'rate_limited', message: 'Too many runs of this workspace wait already.' },
  cycle_in_workflow: { kind: 'invalid', message: 'The runs of the workflow need each other in a circle.' },
  need_failed: { kind: 'conflict', message: 'A run that this one needs did not end well.' },
  batch_not_found: { kind: 'not_found', message: 'No batch has this id.' },
  batch_sealed: { kind: 'conflict', message: 'The batch takes no more runs.' },
  workflow_not_found: { kind: 'not_found', message: 'No workflow has this id.' },
  stale_version: { kind: 'conflict', message: 'The subject has an event of this version already.' }
})
