import type { Binary } from 'mongodb'
import type { Clock, ProcessId } from '../../src/kernel/index.ts'
import type { ProcessRepository } from '../../src/system/index.ts'
import { isGone } from './process-id.ts'

const seenEveryMs = 3000
const unseenMs = 10_000
const forgottenMs = 300_000

/** The processes of this installation; each app has an id of its own, several may share one process in tests. */
export interface Processes {
  /** Id of this app in `sys.processes`. */
  id: string
  /** Whether this process is certainly gone: it was on this host, and is not there any more. */
  isGone (process: ProcessId): boolean
  /** Ends what dead processes left open on the server, before anything else touches their documents. */
  killDead (): Promise<string[]>
}

interface Parts {
  id: string
  self: ProcessId
  role: string
  clock: Clock
  processes: ProcessRepository
  sessions: () => Binary[]
}

export function createProcesses ({ id, self, role, clock, processes, sessions }: Parts) {
  let timer: NodeJS.Timeout | undefined
  const see = async (): Promise<void> => { await processes.see({ id, role, ...self }, sessions()) }

  async function killDead (): Promise<string[]> {
    const nowMs = clock.ms()
    const dead: string[] = []
    for (const entry of await processes.list()) {
      if (entry.id === id) continue
      const gone = isGone(entry, self.host)
      const silentMs = nowMs - entry.seenAt.getTime()
      if (!gone && (entry.host === self.host || silentMs < unseenMs)) continue
      await processes.killSessions(entry.id)
      if (gone || silentMs > forgottenMs) await processes.remove(entry.id)
      dead.push(entry.id)
    }
    return dead
  }

  return {
    id,
    killDead,
    isGone: (process: ProcessId) => isGone(process, self.host),
    see,
    start (onError: (err: unknown) => void) {
      timer = setInterval(() => { see().catch(onError) }, seenEveryMs)
      timer.unref()
    },
    async close () {
      clearInterval(timer)
      await processes.remove(id)
    }
  } satisfies Processes & Record<string, unknown>
}
