// J11: a ticker that knows 100,000 schedules; five thousand fall due in one instant, then none does.
import { setTimeout as sleep } from 'node:timers/promises'
import { systemActor, uuidv7 } from '../../src/kernel/index.ts'
import { summarize, type Measured, type Verdict } from '../measure.ts'
import { engine, noop, until, withFloor, type Floor } from './floor.ts'

const all = 100_000
const due = 5000
const idleMs = 10_000
const idleRounds = 3
const dayMs = 86_400_000

interface Row { _id: string, name: string, lastSlotAt: Date, nextSlotAt: Date }

export async function j11 (): Promise<Verdict[]> {
  const { writtenMs, idle } = await withFloor(measure)
  const limit = (value: number): Measured => summarize('limit', [value])
  const common = { id: 'J11', must: { atMost: 1 } }
  return [
    {
      ...common, what: `${due} of ${all} schedules due at once, until the last run stands`, unit: 'ms',
      ours: summarize('ours', [writtenMs]), baseline: limit(5000), goal: 0.4
    },
    {
      ...common, what: 'the same ticker while nothing is due, of one processor', unit: '%',
      ours: summarize('ours', idle), baseline: limit(2), goal: 0.5
    }
  ]
}

async function measure ({ place }: Floor): Promise<{ writtenMs: number, idle: number[] }> {
  const app = await engine(place, () => {}, { groups: ['keeper'] })
  try {
    await until(async () => await app.leases.holder('jobs.keeper:0') !== null, 20)
    const schedules = app.db.collection<Row>('jobs.schedules')
    const { id } = await app.schedules.add(systemActor('bench', '', null), {
      name: 'bench.first', job: noop.name, data: { n: 1, text: '' }, spec: { everyMs: dayMs }, smear: false
    })
    const template = await schedules.findOne({ _id: id })
    if (template === null) throw new Error('no template')
    const dueAt = Math.ceil((app.clock.ms() + 20_000) / 1000) * 1000
    await write(schedules, template, dueAt)
    await until(() => app.clock.ms() >= dueAt)
    const runs = app.db.collection('jobs.runs')
    await until(async () => await runs.countDocuments({ 'cause.kind': 'schedule' }, { limit: due }) >= due, 20)
    const writtenMs = app.clock.ms() - dueAt
    // Nobody consumes the runs. In one of the rounds V8 collects and compiles what the burst left.
    await sleep(5000)
    const idle: number[] = []
    for (let round = 0; round < idleRounds; round++) {
      const before = process.cpuUsage()
      await sleep(idleMs)
      const { user, system } = process.cpuUsage(before)
      idle.push((user + system) / 10 / idleMs)
    }
    return { writtenMs, idle }
  } finally {
    await app.close()
  }
}

interface Rows { insertMany: (rows: Row[], options: { ordered: false }) => Promise<unknown> }

async function write (schedules: Rows, template: Row, dueAt: number): Promise<void> {
  for (let from = 0; from < all; from += 5000) {
    await schedules.insertMany(Array.from({ length: 5000 }, (_, i) => {
      const n = from + i
      const nextSlotAt = new Date(n < due ? dueAt : dueAt + dayMs + n)
      return {
        ...template, _id: uuidv7(dueAt - dayMs), name: `bench.s${n}`, nextSlotAt,
        lastSlotAt: new Date(nextSlotAt.getTime() - dayMs)
      }
    }), { ordered: false })
  }
}
