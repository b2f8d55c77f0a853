// `npm run bench -- jobs [J2 J4 ...] [--rounds 5] [--waiting 200000] [--documents 1000000]`: what the engine of jobs
// costs beside raw BullMQ of the same version and the bare writes of MongoDB. Named arms print their table and keep no
// results.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startServices } from '../bin/services.ts'
import { report, type Verdict } from './measure.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    waiting: { type: 'string', default: '200000' },
    documents: { type: 'string', default: '1000000' }
  }
})
const options = { rounds: Number(values.rounds) }
const dir = mkdtempSync(join(tmpdir(), 'switchyard-bench-'))
const { MONGO_URL, REDIS_URL } = process.env
const stores = MONGO_URL && REDIS_URL ? undefined : await startServices({ dir, persist: true })
if (stores !== undefined) Object.assign(process.env, { MONGO_URL: stores.mongoUrl, REDIS_URL: stores.redisUrl })

type Told = Verdict[] | { verdicts: Verdict[], notes: string[] }

const { j1, j2, j4, j5 } = await import('./jobs/throughput.ts')
const { j3, j6 } = await import('./jobs/latency.ts')
const { j9, j16, j17 } = await import('./jobs/store.ts')
const { j7, j8 } = await import('./jobs/fair.ts')
const { j10 } = await import('./jobs/kills.ts')
const { j11 } = await import('./jobs/ticker.ts')
const { measureBackup } = await import('./jobs/backup.ts')
const arms: Record<string, () => Promise<Told>> = {
  J1: async () => await j1(options),
  J2: async () => await j2(options),
  J3: async () => await j3(options),
  J4: async () => await j4(options),
  J5: async () => await j5(options),
  J6: j6,
  J7: async () => await j7(options),
  J8: async () => await j8(options),
  J9: async () => await j9(Number(values.waiting)),
  J10: j10,
  J11: j11,
  J15: async () => await measureBackup({
    mongoUrl: process.env['MONGO_URL'] ?? '', documents: Number(values.documents), ...options
  }),
  J16: async () => await j16(options),
  J17: async () => await j17(options)
}

try {
  const chosen = Object.entries(arms).filter(([id]) => positionals.length === 0 || positionals.includes(id))
  const verdicts: Verdict[] = []
  const notes: string[] = []
  for (const [id, run] of chosen) {
    process.stderr.write(`${id}\n`)
    const told = await run()
    verdicts.push(...'verdicts' in told ? told.verdicts : told)
    if ('notes' in told) notes.push(...told.notes)
  }
  report('jobs', verdicts, notes, { isKept: chosen.length === Object.keys(arms).length })
} finally {
  await stores?.stop()
  rmSync(dir, { recursive: true, force: true })
}
