// Holds the stores of one test run: `node test/holder.ts <pid of the runner>`.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startServices } from '../bin/services.ts'
import { isRunning, markOf } from '../bin/services/processes.ts'
import { notePath } from './stores.ts'

const runner = markOf('the test run', Number(process.argv[2]))
const dir = mkdtempSync(join(tmpdir(), 'switchyard-tests-'))
const note = notePath(runner.pid)
let isWanted = true
process.once('SIGTERM', () => { isWanted = false })

try {
  const { stop, mongoUrl, redisUrl } = await startServices({ dir, persist: false })
  writeFileSync(note, JSON.stringify({ mongoUrl, redisUrl, holder: process.pid }), { mode: 0o600 })
  process.send?.('ready')
  while (isWanted && isRunning(runner)) await sleep(100)
  await stop()
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`)
  process.exitCode = 1
} finally {
  rmSync(note, { force: true })
  rmSync(dir, { recursive: true, force: true })
}
