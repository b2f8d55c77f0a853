import { readFileSync, statfsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { hold, type Held } from './hold.ts'

/** A store that can be started, and started again, on one port and one folder. */
export interface Store {
  name: 'MongoDB' | 'Redis'
  port: number
  url: string
  dir: string
  log: string
  command: readonly string[]
  /** One look: true when the store does its work. Throws what speaks for "not yet". */
  isReady: () => Promise<boolean>
}

const leastBytes = 300_000_000

const timeoutMs = 60_000

/** Starts the store and waits until it does its work; `onSpawn` hears its pid at once. Throws one sentence. */
export async function launch (store: Store, onSpawn?: (pid: number) => void): Promise<Held> {
  refuseFullDisk(store)
  const held = await hold(store.command, store.log)
  onSpawn?.(held.pid)
  let ended = false
  void held.exited.then(() => { ended = true })
  const deadline = performance.now() + timeoutMs
  let last = 'no answer'
  while (!ended && performance.now() < deadline) {
    try {
      if (await store.isReady()) return held
    } catch (error) {
      last = (error as Error).message
    }
    await Promise.race([sleep(25), held.exited])
  }
  if (ended) throw new Error(reasonOf(store, await held.exited))
  await held.stop()
  const { name, port, log } = store
  throw new Error(`${name} did not become ready on port ${port} in ${timeoutMs / 1000} s (${last}): see ${log}.`)
}

function refuseFullDisk ({ name, dir }: Store): void {
  const { bavail, bsize } = statfsSync(dir)
  const free = bavail * bsize
  if (free >= leastBytes) return
  throw new Error(`The disk of ${dir} is full: ${Math.floor(free / 1e6)} MB are left and ${name} needs ` +
    `${leastBytes / 1e6} MB to start. Make room, or set DATA_DIR to a folder on another disk.`)
}

/** Why the store ended, in one sentence, from the end of its log. */
export function reasonOf ({ name, port, dir, log }: Store, code: number): string {
  const tail = readFileSync(log, 'utf8').slice(-20_000)
  if (/No space left on device/i.test(tail)) return `${name} stopped: the disk of ${dir} is full. Make room and start again.`
  if (/Address already in use/i.test(tail)) return `${name} cannot start: port ${port} on 127.0.0.1 is taken by another program.`
  if (/DBPathInUse|lock file.*(unavailable|in use)/i.test(tail)) return `${name} cannot start: another mongod has ${dir}.`
  if (/Permission denied|EACCES/i.test(tail)) return `${name} cannot start: it may not write to ${dir}.`
  return `${name} stopped with exit code ${code}: see ${log}.`
}
