// Watches from a second thread whether the first one turns: what hangs cannot end itself.
import { writeSync } from 'node:fs'
import { workerData } from 'node:worker_threads'

const { turns, limitMs, parent } = workerData as { turns: Int32Array, limitMs: number, parent: number | undefined }
const lookMs = Math.min(1000, limitMs / 4)
let known = -1
let stillMs = 0

// Counted in looks and not by the clock: a host that slept was no hang.
setInterval(() => {
  // A solo child never outlives its worker, not even in an endless loop.
  if (parent !== undefined && process.ppid !== parent) process.kill(process.pid, 'SIGKILL')
  const now = Atomics.load(turns, 0)
  stillMs = now === known ? stillMs + lookMs : 0
  known = now
  if (stillMs < limitMs) return
  const msg = `no turn of the event loop for ${limitMs} ms`
  writeSync(2, `${JSON.stringify({ level: 60, pid: process.pid, msg })}\n`)
  process.kill(process.pid, 'SIGKILL')
}, lookMs)
