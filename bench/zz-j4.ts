import { readFileSync } from 'node:fs'
import { execSync } from 'node:child_process'
import type { RunRow } from '../src/jobs/run.ts'
import { engine, rowsOf, until, withFloor, writeRuns, bareQueue, bareWorker, dataOf, type Floor } from './jobs/floor.ts'
const lives = Number(process.argv[2] ?? 6000)
const pids = { node: process.pid, mongod: Number(execSync('pgrep -f "port 27901" | head -1')), redis: Number(execSync('pgrep -f "redis-server.*6391" | head -1')) }
const cpu = () => Object.fromEntries(Object.entries(pids).map(([k, p]) => { const s = readFileSync(`/proc/${p}/stat`, 'utf8'); const f = s.slice(s.lastIndexOf(')') + 2).split(' '); return [k, (Number(f[11]) + Number(f[12])) * 10] }))
async function measure (name: string, n: number, work: () => Promise<void>) {
  const a = cpu(); const t = performance.now(); await work(); const ms = performance.now() - t; const b = cpu()
  console.log(name, Math.round(n / ms * 1000), '/s', 'wall us/run', (ms / n * 1000).toFixed(0), ...Object.keys(a).map((k) => `${k} ${((b[k]! - a[k]!) / n * 1000).toFixed(0)}us`))
}
async function ours ({ place }: Floor) {
  let started = 0
  const app = await engine(place, () => { started++ })
  const runs = app.db.collection<RunRow>('jobs.runs')
  await until(async () => await app.leases.holder('jobs.keeper:0') !== null, 20)
  const dueAt = new Date(app.clock.ms() + 2000)
  await writeRuns(app, rowsOf(lives, dueAt))
  await until(() => app.clock.ms() >= dueAt.getTime())
  if (process.env['PROFILE']) { await app.db.createCollection('system.profile', { capped: true, size: 60_000_000 }); await app.db.command({ profile: 2, slowms: 100 }) }
  await measure('ours', lives, async () => {
    await until(() => started >= lives)
    await until(async () => await runs.findOne({ queue: 'fast', state: { $ne: 'done' } }) === null, 5)
  })
  if (process.env['PROFILE']) {
    await app.db.command({ profile: 0 })
    const rows = await app.db.collection('system.profile').find().toArray()
    const by = new Map<string, any>()
    for (const r of rows) {
      const c = r['command'] ?? {}
      const shape = JSON.stringify(c.filter ?? c.q ?? c.query ?? c.pipeline?.[0] ?? Object.keys(c)[0], (_k, v) => (typeof v === 'object' && v !== null && !Array.isArray(v) && !v._bsontype && !(v instanceof Date)) ? v : Array.isArray(v) ? ['..', v.length > 3 ? 'n' : v.length] : '?')?.slice(0, 150)
      const key = `${r['op']} ${r['ns'].split('.').slice(1).join('.')} ${shape} ${(r['planSummary'] ?? '').slice(0, 110)}`
      const e = by.get(key) ?? { n: 0, ms: 0, cpu: 0, docs: 0, keys: 0, ins: 0, del: 0 }
      e.n++; e.ms += r['millis']; e.cpu += (r['cpuNanos'] ?? 0) / 1e6; e.docs += r['docsExamined'] ?? 0; e.keys += r['keysExamined'] ?? 0; e.ins += r['keysInserted'] ?? 0; e.del += r['keysDeleted'] ?? 0
      by.set(key, e)
    }
    for (const [k, e] of [...by].sort((a, b) => b[1].cpu - a[1].cpu).slice(0, 25)) console.log(`n=${e.n} cpu=${e.cpu.toFixed(0)} ms=${e.ms} docs=${e.docs} keys=${e.keys} ins=${e.ins} del=${e.del} :: ${k}`)
    console.log('total cpu', [...by.values()].reduce((s, e) => s + e.cpu, 0), 'ops', rows.length)
  }
  await app.close()
}
async function raw (floor: Floor) {
  const queue = bareQueue(floor)
  for (let from = 0; from < lives; from += 500) await queue.addBulk(Array.from({ length: Math.min(500, lives - from) }, (_, i) => ({ name: 'run', data: dataOf(from + i), opts: { jobId: `r-${from + i}`, priority: 5 } })))
  let ended = 0
  const worker = bareWorker(floor, queue.name, async () => null, { autorun: false })
  worker.on('completed', () => { ended++ })
  await worker.waitUntilReady()
  await measure('raw', lives, async () => { worker.run().catch(() => {}); await until(() => ended >= lives) })
  await worker.close(); await queue.close()
}
for (let i = 0; i < Number(process.argv[3] ?? 3); i++) { if (!process.env['NORAW']) await withFloor(raw); await withFloor(ours) }
process.exit(0)
