// One of the processes that boot together: two hundred schedules of a slot a second.
import { Type } from 'typebox'
import { defineJob, defineSchedule } from '../../../src/kernel/index.ts'
import { rig, type Place } from '../../jobs/rig.ts'

const data = Type.Object({}, { additionalProperties: false })
const job = defineJob({ name: 'test.tick-over', queue: 'fast', data })
const schedules = Array.from({ length: 200 }, (_, i) => defineSchedule({
  name: `test.storm-${i}`, job, data: {}, spec: { everyMs: 1000 }, smear: false, overlap: 'allow_all'
}))

await rig({
  place: JSON.parse(process.argv[2] ?? '') as Place,
  // It makes runs and works on none: the machine is for eight boots.
  groups: ['keeper'],
  declared: { jobs: [job], schedules },
  bind: (app) => { app.handleJob(job, async () => {}) }
})
process.stdin.once('end', () => { process.exit(1) }).resume()
process.stdout.write('ready\n')
