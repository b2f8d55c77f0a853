import { setTimeout as wait } from 'node:timers/promises'
import { closeCodes } from '../../../src/kernel/index.ts'
import type { Connection } from './connection.ts'

const perSec = 300
const slotMs = 500

/** Sends everybody away, spread over the time that the others can take them in (`realtime.md` 4.8). */
export async function drain (connections: ReadonlySet<Connection>, windowMs: number): Promise<void> {
  const leaving = [...connections]
  const spreadMs = windowMs === 0 ? 0 : Math.max(windowMs, leaving.length * 1000 / perSec)
  const gapMs = Math.min(slotMs, spreadMs / Math.max(1, leaving.length))
  for (const [index, connection] of leaving.entries()) {
    connection.bye(closeCodes.drain, { reason: 'drain', retryMs: Math.floor(Math.random() * 2000) })
    if (gapMs > 0 && index < leaving.length - 1) await wait(gapMs)
  }
  await Promise.race([Promise.all(leaving.map(closed)), wait(2000, undefined, { ref: false })])
  for (const { socket } of leaving) socket.terminate()
}

async function closed ({ socket }: Connection): Promise<void> {
  if (socket.readyState === socket.CLOSED) return
  await new Promise((resolve) => { socket.once('close', resolve) })
}
