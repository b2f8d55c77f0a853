// A worker as its entrypoint runs it, with work that takes no notice of an end: for tests of signals.
import { setTimeout as sleep } from 'node:timers/promises'
import { Type } from 'typebox'
import { runProcess } from '../../plugins/entrypoint.ts'
import { defineJob } from '../../src/kernel/index.ts'
import { rig, type Place } from './rig.ts'

export const stay = defineJob({
  name: 'test.stay-at-work', queue: 'fast', data: Type.Object({}, { additionalProperties: false })
})

if (process.argv[1] === import.meta.filename) {
  const place = JSON.parse(process.argv[2] ?? '') as Place
  await runProcess('worker', async () => ({
    app: await rig({
      place,
      groups: ['io'],
      logLevel: 'info',
      declared: { jobs: [stay] },
      bind (app) { app.handleJob(stay, async () => { await sleep(3_600_000) }) }
    }),
    address: null
  }))
}
