// The audience of `bench/live.ts`: opens the sockets of every arm and counts what comes.
import { once } from 'node:events'
import { WebSocket } from 'ws'

const counts = new Map<string, number>()
const sockets: WebSocket[] = []

async function opened (arm: string, url: string, i: number): Promise<void> {
  const socket = new WebSocket(url, arm === 'ours' ? 'hub.v1.json' : [], { perMessageDeflate: false })
  sockets.push(socket)
  const ready = arm === 'ws' ? once(socket, 'open') : new Promise((resolve) => { socket.once('ready', resolve) })
  socket.on('message', (data: Buffer) => { hear(arm, socket, data) })
  if (arm === 'ours') {
    await once(socket, 'open')
    socket.send(JSON.stringify({ id: 1, t: 'connect', v: 1, token: `u${i}/s${i}`, subs: { 'test.events:bench': {} } }))
  }
  await ready
}

const newline = 0x0a

function hear (arm: string, socket: WebSocket, data: Buffer): void {
  const start = data.toString('latin1', 0, 12)
  if (start.startsWith('{"t":"pub"') || start.startsWith('42[')) {
    let lines = 1
    for (let at = data.indexOf(newline); at >= 0; at = data.indexOf(newline, at + 1)) lines++
    counts.set(arm, (counts.get(arm) ?? 0) + lines)
  } else if (start === '{}') socket.send('{}')
  else if (start === '2') socket.send('3')
  else if (start.startsWith('0{')) socket.send('40')
  else if (start.startsWith('40') || start.startsWith('{"id":1,"ok"')) socket.emit('ready')
}

interface Question { open?: string, url?: string, audience?: number, count?: string, stop?: boolean }

async function answer ({ open, url = '', audience = 0, count, stop }: Question): Promise<void> {
  if (stop === true) {
    for (const socket of sockets) socket.terminate()
    process.exit(0)
  }
  if (open !== undefined) {
    for (let i = 0; i < audience; i += 50) {
      await Promise.all(Array.from({ length: 50 }, async (_, j) => { await opened(open, url, i + j) }))
    }
  }
  process.send?.(count === undefined ? { opened: audience } : { count: counts.get(count) ?? 0 })
}

process.on('message', (question: Question) => { void answer(question) })
