// Whether the machine itself stands still: others use its disk and its processors too. What we cause looks the same, so
// few calls may be left out.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Load } from './load.ts'

const everyMs = 25
/** A byte is on a disk long before. */
const stallMs = 50

/** In milliseconds since 1970. */
interface Stall { fromMs: number, untilMs: number }

export interface Machine {
  /** Times of the calls during which it did not stand still. */
  calm (load: Load): number[]
  stop (): Promise<void>
}

/** Writes a byte through to the disk all the time, in a process of its own, and notes when that took too long. */
export function watchMachine (): Machine {
  const child = fork(import.meta.filename, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const stalls: Stall[] = []
  child.on('message', (stall) => { stalls.push(stall as Stall) })
  return {
    calm: ({ times, beganMs }) => times.filter((ms, i) => {
      const fromMs = beganMs[i] ?? 0
      return !stalls.some((stall) => stall.fromMs < fromMs + ms && fromMs < stall.untilMs)
    }),
    async stop () {
      if (!child.connected) throw new Error('the watch of the machine ended by itself')
      const exited = once(child, 'exit')
      child.disconnect()
      await exited
    }
  }
}

if (process.argv[1] === import.meta.filename) {
  const dir = mkdtempSync(join(tmpdir(), 'switchyard-machine-'))
  const file = openSync(join(dir, 'byte'), 'w')
  process.once('disconnect', () => {
    rmSync(dir, { recursive: true })
    process.exit(0)
  })
  for (;;) {
    const fromMs = Date.now()
    await sleep(everyMs)
    writeSync(file, 'x', 0)
    fdatasyncSync(file)
    const untilMs = Date.now()
    if (untilMs - fromMs - everyMs > stallMs) process.send?.({ fromMs, untilMs })
  }
}
