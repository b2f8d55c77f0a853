// `npm run bench -- fetch [--rounds 5] [--mib 1024] [--paced-mib 320] [--only J13]`: J12 safe fetch against bare
// undici, J13 a large download with its hash against curl and aria2, J14 four segments against aria2 with four
// connections.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Pool } from 'undici'
import { startServices } from '../bin/services.ts'
import { spawnStandIn } from '../test/stand-ins/process.ts'
import type { Host } from './fetch/host.ts'
import { openOurs, type Ours } from './fetch/ours.ts'
import { byAria2, byCurl, findRivals } from './fetch/rival.ts'
import { interleave, report, type Measured, type Verdict } from './measure.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    mib: { type: 'string', default: '1024' },
    'paced-mib': { type: 'string', default: '320' },
    only: { type: 'string' }
  }
})
const MiB = 1024 * 1024
const rounds = Number(values.rounds)
const requests = 3000
const atOnce = 16

type Bench = (host: Host, ours: Ours, path: string) => Promise<Verdict[]>
const benches: Record<string, Bench> = { J12: pages, J13: files, J14: segments }

findRivals()
const dir = mkdtempSync(join(tmpdir(), 'switchyard-bench-'))
const services = process.env['MONGO_URL'] === undefined ? await startServices({ dir, persist: false }) : undefined
const sizes = [values.mib, values['paced-mib']].map((mib) => String(Number(mib) * MiB))
const { ready, stop } = await spawnStandIn<Host>(new URL('fetch/host.ts', import.meta.url), sizes)
const ours = await openOurs(ready.host, services?.mongoUrl ?? process.env['MONGO_URL'] ?? '')
try {
  const verdicts: Verdict[] = []
  for (const [id, bench] of Object.entries(benches)) {
    if (values.only === undefined || values.only === id) verdicts.push(...await bench(ready, ours, join(dir, 'file')))
  }
  report('fetch', verdicts, [
    'J13 and J14 end when the bytes are on the disk and their hash is checked; none of them is copied into a ' +
    'storage. aria2 in J14 checks no hash.'
  ])
} finally {
  await ours.close()
  await stop()
  await services?.stop()
  rmSync(dir, { recursive: true, force: true })
}

async function pages ({ origin }: Host, { fetch }: Ours): Promise<Verdict[]> {
  const pool = new Pool(origin, { connections: atOnce, pipelining: 1 })
  const url = `${origin}/page`
  const measured = await interleave([
    {
      name: 'bare undici',
      run: async () => await perSecond(async () => {
        const { body } = await pool.request({ path: '/page', method: 'GET' })
        return (await body.arrayBuffer()).byteLength
      })
    },
    { name: 'ours', run: async () => await perSecond(async () => (await fetch.buffer('page', { url })).body.length) }
  ], { rounds })
  await pool.close()
  const what = `safe fetch, 6 KiB, keep-alive, ${atOnce} at once`
  return [verdict('J12', what, 'requests/s', measured, 'bare undici', 0.75, 0.9)]
}

/** Requests a second, all of them with the whole page. */
async function perSecond (ask: () => Promise<number>): Promise<number> {
  let left = requests
  const since = performance.now()
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (left-- > 0) {
      if (await ask() !== 6144) throw new Error('not the page')
    }
  }))
  return requests / (performance.now() - since) * 1000
}

async function files ({ origin, bytes, sha256 }: Host, ours: Ours, path: string): Promise<Verdict[]> {
  const url = `${origin}/file`
  const measured = await interleave([
    {
      name: 'curl',
      run: async () => await speed(bytes, async () => {
        if (await byCurl(url, path) !== sha256) throw new Error('curl has other bytes')
      })
    },
    {
      name: 'ours',
      run: async () => await speed(bytes, async () => { await ours.download(url, { segments: 1, sha256 }) })
    },
    {
      name: 'aria2',
      run: async () => await speed(bytes, async () => { await byAria2(url, path, { connections: 1, sha256 }) })
    }
  ], { rounds })
  return ['curl', 'aria2'].map((rival) =>
    verdict('J13', `${bytes / MiB} MiB with sha-256`, 'MiB/s', measured, rival, 0.75, 0.9))
}

async function segments (
  { origin, pacedBytes, pacedSha256: sha256 }: Host, ours: Ours, path: string
): Promise<Verdict[]> {
  const url = `${origin}/paced`
  const measured = await interleave([
    {
      name: 'aria2 -x4',
      run: async () => await speed(pacedBytes, async () => { await byAria2(url, path, { connections: 4 }) })
    },
    {
      name: 'ours',
      run: async () => await speed(pacedBytes, async () => { await ours.download(url, { segments: 4, sha256 }) })
    }
  ], { rounds })
  const what = `${pacedBytes / MiB} MiB, 20 MiB/s per connection, 4 segments`
  return [verdict('J14', what, 'MiB/s', measured, 'aria2 -x4', 0.85, 0.95)]
}

async function speed (bytes: number, work: () => Promise<void>): Promise<number> {
  const since = performance.now()
  await work()
  return bytes / MiB / (performance.now() - since) * 1000
}

function verdict (
  id: string, what: string, unit: string, measured: Map<string, Measured>, rival: string, must: number, goal: number
): Verdict {
  return {
    id,
    what,
    unit,
    ours: measured.get('ours') as Measured,
    baseline: measured.get(rival) as Measured,
    must: { atLeast: must },
    goal
  }
}
