// One of the processes that boot together: two hundred schedules of a slot a second, on each place that stdin names.
import { createInterface } from 'node:readline'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { defineJob, defineSchedule } from '../../../src/kernel/index.ts'
import { rig, type Place } from '../../jobs/rig.ts'

const data = Type.Object({}, { additionalProperties: false })
const job = defineJob({ name: 'test.tick-over', queue: 'fast', data })
const schedules = Array.from({ length: 200 }, (_, i) => defineSchedule({
  name: `test.storm-${i}`, job, data: {}, spec: { everyMs: 1000 }, smear: false, overlap: 'allow_all'
}))

let app: FastifyInstance | undefined
process.stdout.write('loaded\n')
for await (const line of createInterface(process.stdin)) {
  await app?.close()
  app = line === '' ? undefined : await boot(JSON.parse(line) as Place)
  process.stdout.write('ready\n')
}
process.exit(0)

/** It makes runs and works on none: the machine is for eight boots. */
async function boot (place: Place): Promise<FastifyInstance> {
  return await rig({
    place,
    groups: ['keeper'],
    declared: { jobs: [job], schedules },
    bind: (app) => { app.handleJob(job, async () => {}) }
  })
}
