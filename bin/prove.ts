// `npm run prove -- <area> [ids] [--rounds N]`: the long failure proofs of test/proofs, a line each.
import { existsSync, globSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Proof, Proofs } from './proof.ts'
import { startServices } from './services.ts'

const folder = join(import.meta.dirname, '../test/proofs')
const { values, positionals } = parseArgs({ allowPositionals: true, options: { rounds: { type: 'string' } } })
const [area = '', ...ids] = positionals
const rounds = values.rounds === undefined ? undefined : Number(values.rounds)
process.env['NODE_ENV'] ??= 'development'

const { proofs, needsStores = false } = await openArea(area)
const chosen = choose(proofs)
const stores = needsStores ? await startStores() : undefined
let failed = 0
for (const [id, proof] of chosen) failed += await prove(id, proof) ? 0 : 1
await stores?.stop()
process.stdout.write(`${chosen.length - failed} passed, ${failed} failed\n`)
process.exit(failed === 0 ? 0 : 1)

/** Stores in a folder of their own, unless the environment names some. */
async function startStores () {
  if (process.env['MONGO_URL'] && process.env['REDIS_URL']) return undefined
  const dir = mkdtempSync(join(tmpdir(), 'switchyard-proofs-'))
  const { mongoUrl, redisUrl, stop } = await startServices({ dir, persist: true })
  Object.assign(process.env, { MONGO_URL: mongoUrl, REDIS_URL: redisUrl })
  return {
    async stop (): Promise<void> {
      await stop()
      rmSync(dir, { recursive: true, force: true })
    }
  }
}

async function openArea (area: string): Promise<{ proofs: Proofs, needsStores?: boolean }> {
  const file = join(folder, `${area}.ts`)
  if (!/^[a-z][a-z-]*$/.test(area) || !existsSync(file)) {
    const areas = globSync('*.ts', { cwd: folder }).map((found) => basename(found, '.ts')).toSorted()
    stop(`Which area? npm run prove -- <area> [ids], of: ${areas.join(', ') || 'none yet'}.`)
  }
  return await import(file) as { proofs: Proofs, needsStores?: boolean }
}

function choose (proofs: Proofs): [string, Proof][] {
  const unknown = ids.filter((id) => proofs[id] === undefined)
  if (unknown.length > 0) stop(`${area} has no ${unknown.join(', ')}: it has ${Object.keys(proofs).join(', ')}.`)
  if (rounds !== undefined && !(Number.isInteger(rounds) && rounds > 0)) stop('--rounds is a whole number above 0.')
  return Object.entries(proofs).filter(([id, { isOnlyNamed = false }]) =>
    ids.length === 0 ? !isOnlyNamed : ids.includes(id))
}

async function prove (id: string, proof: Proof): Promise<boolean> {
  const started = performance.now()
  try {
    const figures = await proof({ rounds, say: (line) => { process.stderr.write(`${id}: ${line}\n`) } })
    process.stdout.write(`${id} ok  ${figures}  (${seconds(started)})\n`)
    return true
  } catch (error) {
    process.stdout.write(`${id} FAILED  ${(error as Error).message}  (${seconds(started)})\n`)
    process.stderr.write(`${(error as Error).stack ?? ''}\n`)
    return false
  }
}

function seconds (started: number): string {
  return `${((performance.now() - started) / 1000).toFixed(1)} s`
}

function stop (sentence: string): never {
  process.stderr.write(`${sentence}\n`)
  process.exit(1)
}
