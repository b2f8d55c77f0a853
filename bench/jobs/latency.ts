// J3 commit to start, J6 lateness of runAt: times, so the limit or BullMQ's own time is beside them.
import { setTimeout as sleep } from 'node:timers/promises'
import { interleave, summarize, type Measured, type Verdict } from '../measure.ts'
import {
  bareQueue, bareWorker, dataOf, engine, noop, pick, quantile, rowsOf, until, withFloor, writeRuns, type Floor
} from './floor.ts'
import type { BenchOptions } from './throughput.ts'

const samples = 150
const polled = 10

interface Told { verdicts: Verdict[], notes: string[] }

/** J3: one run after the other into an idle engine; then runs of which no wake tells, which only a poll finds. */
export async function j3 ({ rounds }: BenchOptions): Promise<Told> {
  const tails = { ours: [] as number[], bare: [] as number[], polled: [] as number[] }
  const measured = await interleave([
    {
      name: 'BullMQ add to start',
      run: async () => {
        const times = await withFloor(bareStarts)
        tails.bare.push(quantile(times, 0.99))
        return quantile(times, 0.5)
      }
    },
    {
      name: 'commit to start',
      run: async () => {
        const { told, found } = await withFloor(ourStarts)
        tails.ours.push(quantile(told, 0.99))
        tails.polled.push(Math.max(...found))
        return quantile(told, 0.5)
      }
    }
  ], { rounds })
  // The first round warms up and does not count.
  const [tail, poll, bareTail] = [tails.ours, tails.polled, tails.bare].map((values) => summarize('', values.slice(1)))
  const limit = (ms: number): Measured => summarize('limit', [ms])
  const common = { id: 'J3', unit: 'ms', must: { atMost: 1 } }
  const verdicts = [
    {
      ...common, what: 'commit to start, p50', ours: pick(measured, 'commit to start'), baseline: limit(20), goal: 0.5
    },
    { ...common, what: 'commit to start, p99', ours: tail as Measured, baseline: limit(100) },
    { ...common, what: 'commit to start without a wake, longest', ours: poll as Measured, baseline: limit(600) }
  ]
  const bare = pick(measured, 'BullMQ add to start')
  const times = [bare, bareTail as Measured].map(({ median }) => median.toFixed(2))
  return { verdicts, notes: [`J3  BullMQ add to start: p50 ${times[0]} ms, p99 ${times[1]} ms`] }
}

async function bareStarts (floor: Floor): Promise<number[]> {
  const queue = bareQueue(floor)
  const times: number[] = []
  let wanted = Promise.withResolvers<void>()
  let began = 0
  const worker = bareWorker(floor, queue.name, async () => {
    times.push(performance.now() - began)
    wanted.resolve()
  })
  await worker.waitUntilReady()
  for (let n = 0; n < samples; n++) {
    wanted = Promise.withResolvers<void>()
    await sleep(15)
    began = performance.now()
    await queue.add('run', dataOf(n))
    await wanted.promise
  }
  await worker.close()
  await queue.close()
  return times
}

async function ourStarts ({ place }: Floor): Promise<{ told: number[], found: number[] }> {
  let wanted = Promise.withResolvers<void>()
  let began = 0
  let last = 0
  const app = await engine(place, () => {
    last = performance.now() - began
    wanted.resolve()
  })
  async function one (add: () => Promise<unknown>): Promise<number> {
    wanted = Promise.withResolvers<void>()
    await sleep(15)
    await add()
    await wanted.promise
    return last
  }
  const told: number[] = []
  const found: number[] = []
  await until(async () => await app.leases.holder('jobs.keeper:0') !== null, 20)
  for (let n = 0; n < samples; n++) {
    told.push(await one(async () => {
      await app.tx(async (session) => await app.jobs.add(session, noop, dataOf(n), { workspaceId: 'w' }))
      // A start before this line counts as none: the commit is known here.
      began = performance.now()
    }))
  }
  for (let n = 0; n < polled; n++) {
    found.push(await one(async () => {
      await writeRuns(app, rowsOf(1, app.clock.now()))
      began = performance.now()
    }))
  }
  await app.close()
  return { told, found }
}

const dated = 1000
const overMs = 60_000
const parts = 5

/** J6: both sides get 1,000 jobs for the same instants of one minute, at once; five parts of it are the rounds. */
export async function j6 (): Promise<Verdict[]> {
  const late = { ours: [] as number[], bare: [] as number[] }
  await withFloor(async (floor) => {
    const app = await engine(floor.place, (n) => { late.ours[n] = app.clock.ms() - firstMs - n * overMs / dated })
    await until(async () => await app.leases.holder('jobs.keeper:0') !== null, 20)
    const queue = bareQueue(floor)
    const worker = bareWorker(floor, queue.name, async ({ data: { n } }) => {
      late.bare[n as number] = app.clock.ms() - firstMs - (n as number) * overMs / dated
    })
    const firstMs = Math.ceil(app.clock.ms()) + 3000
    const at = (n: number): number => firstMs + n * overMs / dated
    const now = app.clock.ms()
    await writeRuns(app, rowsOf(dated, new Date(now)).map((row, n) => ({ ...row, runAt: new Date(at(n)) })))
    await queue.addBulk(Array.from({ length: dated }, (_, n) =>
      ({ name: 'run', data: dataOf(n), opts: { delay: Math.round(at(n) - app.clock.ms()) } })))
    const count = (values: number[]): number => Object.keys(values).length
    await until(() => count(late.ours) === dated && count(late.bare) === dated, 100)
    await worker.close()
    await queue.close()
    await app.close()
  })
  const tail = (values: number[]): number[] => Array.from(
    { length: parts }, (_, part) => quantile(values.slice(part * dated / parts, (part + 1) * dated / parts), 0.99))
  const baseline = summarize('BullMQ delayed', tail(late.bare))
  return [{
    id: 'J6',
    what: `lateness of ${dated} dated runs over ${overMs / 1000} s, p99`,
    unit: 'ms',
    ours: summarize('runAt', tail(late.ours)),
    baseline,
    must: { atMost: (baseline.median + 50) / baseline.median },
    goal: 1
  }]
}
