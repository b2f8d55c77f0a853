import { mkdirSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { once } from 'node:events'
import type { Store } from './store.ts'

/** A Redis on loopback that never evicts; with `persist` it keeps an append-only file, synced every second. */
export function redisStore (binary: string, root: string, port: number, persist: 'append-only' | 'nothing'): Store {
  const dir = join(root, 'redis')
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  return {
    name: 'Redis',
    port,
    url: `redis://127.0.0.1:${port}`,
    dir,
    log: join(root, 'redis.log'),
    command: [
      binary, '--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--daemonize', 'no', '--save', '',
      '--appendonly', persist === 'append-only' ? 'yes' : 'no', '--appendfsync', 'everysec',
      '--maxmemory-policy', 'noeviction'
    ],
    isReady: async () => await answersPing(port)
  }
}

async function answersPing (port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  socket.setTimeout(500, () => { socket.destroy(new Error('no answer in 500 ms')) })
  try {
    await once(socket, 'connect')
    socket.write('PING\r\n')
    const [answer] = await once(socket, 'data') as [Buffer]
    return answer.toString().startsWith('+PONG')
  } finally {
    socket.destroy()
  }
}
