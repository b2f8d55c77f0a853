// A Redis of another version, as far as a booting process looks.
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'

/** Answers pings and tells this version; the address of it, and how to end it. */
export async function startOldRedis (version: string): Promise<{ url: string, close: () => void }> {
  const facts = [
    `redis_version:${version}`, 'loading:0', 'role:master', 'maxmemory_policy:noeviction', 'aof_enabled:1', ''
  ].join('\r\n')
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      for (const command of chunk.toString().split(/^\*\d+\r\n/m).slice(1)) {
        const name = command.split('\r\n')[1]?.toLowerCase()
        if (name === 'info') socket.write(`$${facts.length}\r\n${facts}\r\n`)
        else socket.write(name === 'ping' ? '+PONG\r\n' : '+OK\r\n')
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => { server.close() } }
}
