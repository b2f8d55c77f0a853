import type { Binary, ClientSession, MongoClient } from 'mongodb'

const batch = 4
const maxIdleMs = 10 * 60_000

interface Idle { session: ClientSession, sinceMs: number }

/** Sessions whose ids were written down before their first use: the transactions of a killed process can be ended. */
export function createSessionPool (client: MongoClient, remember: (ids: Binary[]) => Promise<void>) {
  const idle: Idle[] = []
  const all = new Set<ClientSession>()
  let filling: Promise<void> | undefined

  async function fill (): Promise<void> {
    const fresh = Array.from({ length: batch }, () => client.startSession())
    for (const session of fresh) all.add(session)
    await remember(fresh.map(idOf))
    for (const session of fresh) idle.push({ session, sinceMs: performance.now() })
  }

  async function take (): Promise<ClientSession> {
    for (;;) {
      const found = idle.pop()
      if (found === undefined) {
        filling ??= fill().finally(() => { filling = undefined })
        await filling
      } else if (performance.now() - found.sinceMs > maxIdleMs) await drop(found.session)
      else return found.session
    }
  }

  async function drop (session: ClientSession): Promise<void> {
    all.delete(session)
    await session.endSession()
  }

  return {
    async use<T> (work: (session: ClientSession) => Promise<T>): Promise<T> {
      const session = await take()
      try {
        return await work(session)
      } finally {
        // A session that met a network error is dirty: its transaction may still stand on the server.
        if (session.serverSession.isDirty || session.hasEnded) await drop(session)
        else idle.push({ session, sinceMs: performance.now() })
      }
    },
    /** Ids of all sessions that may have a transaction. */
    ids: (): Binary[] => [...all].map(idOf),
    async close (): Promise<void> {
      await Promise.all([...all].map(drop))
      idle.length = 0
    }
  }
}

function idOf (session: ClientSession): Binary {
  if (session.id === undefined) throw new Error('a session without an id')
  return session.id.id
}
