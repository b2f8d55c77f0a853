// One arm of `bench/live.ts` as a process: says its address, publishes when told, tells its CPU time.
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocketServer } from 'ws'
import { setUp, topics } from '../../test/live/harness.ts'

interface SocketIo { Server: new (server: unknown, options: object) => any }

interface Arm { url: string, publish: (i: number) => Promise<void> | void, stop: () => Promise<void> }

const filler = 'x'.repeat(60)
/** About 200 bytes on the wire, as the frames of the hub. */
const frameOf = (i: number): string => JSON.stringify({
  t: 'pub',
  ch: 'test.events:bench',
  o: i,
  mid: '01990000-0000-7000-8000-000000000000',
  ts: 1760000000000,
  k: 'item',
  d: { i, filler }
})

async function ours (): Promise<Arm> {
  const undo: Array<() => unknown> = []
  const node = await setUp({ teardown: (work) => undo.push(work) }).open()
  return {
    url: node.url,
    publish: async (i) => {
      await node.app.live.publish(topics.events, { roomId: 'bench' }, { kind: 'item', data: { i, filler } })
    },
    stop: async () => { for (const work of undo) await work() }
  }
}

async function listen (server: ReturnType<typeof createServer>): Promise<string> {
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function bare (): Promise<Arm> {
  const server = createServer()
  const sockets = new WebSocketServer({ server, perMessageDeflate: false, maxPayload: 65_536 })
  return {
    url: await listen(server),
    publish (i) {
      const frame = frameOf(i)
      for (const socket of sockets.clients) socket.send(frame)
    },
    stop: async () => { server.close() }
  }
}

async function socketIo (folder: string): Promise<Arm> {
  const peer = createRequire(join(folder, 'package.json'))('socket.io') as SocketIo
  const { Server } = peer
  const server = createServer()
  const io = new Server(server, { transports: ['websocket'], perMessageDeflate: false })
  io.on('connection', (socket: { join: (room: string) => void }) => { socket.join('bench') })
  return {
    url: `${await listen(server)}/socket.io/?EIO=4&transport=websocket`,
    publish (i) { io.to('bench').emit('pub', JSON.parse(frameOf(i))) },
    stop: async () => { io.close() }
  }
}

const [name = 'ours', folder = ''] = process.argv.slice(2)
const arm = await (name === 'ours' ? ours() : name === 'ws' ? bare() : socketIo(folder))
let published = 0

interface Question { publish?: number, cpu?: boolean, stop?: boolean }

async function answer ({ publish = 0, cpu, stop }: Question): Promise<void> {
  if (stop === true) {
    await arm.stop()
    process.exit(0)
  }
  for (let i = 0; i < publish; i++) {
    await arm.publish(++published)
    // Each one goes out by itself: what several in a row gain is another measure.
    await sleep(15)
  }
  const { user, system } = process.cpuUsage()
  process.send?.(cpu === true ? { cpu: user + system } : { published })
}

process.on('message', (question: Question) => { void answer(question) })
process.send?.({ url: arm.url })
