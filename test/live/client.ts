// A client that only speaks frames.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { WebSocket } from 'ws'

interface Teardown { teardown (undo: () => unknown): unknown }

export interface Frame { [field: string]: any }

export interface Client {
  frames: Frame[]
  closed: Promise<{ code: number, reason: string }>
  socket: WebSocket
  send (command: object | string): void
  ask (command: object): Promise<Frame>
  /** The first frame from here on that fits; also one that came already. */
  next (fits: (frame: Frame) => boolean, timeoutMs?: number): Promise<Frame>
  pubs (channel: string): Frame[]
  close (): Promise<void>
}

/** Opens a socket; everything it hears stays in `frames`, without pings. */
export async function dial (t: Teardown, url: string, { origin, protocol = 'hub.v1.json', isMute = false }: {
  origin?: string, protocol?: string, isMute?: boolean
} = {}): Promise<Client> {
  const socket = new WebSocket(url, protocol, origin === undefined ? {} : { origin })
  const frames: Frame[] = []
  const waiting = new Set<() => void>()
  let id = 0
  socket.on('message', (data) => {
    for (const line of String(data as Buffer).split('\n')) {
      const frame = JSON.parse(line) as Frame
      if (Object.keys(frame).length > 0) frames.push(frame)
      else if (!isMute) socket.send('{}')
    }
    for (const look of waiting) look()
  })
  const closed = new Promise<{ code: number, reason: string }>((resolve) => {
    socket.on('close', (code, reason) => { resolve({ code, reason: String(reason) }) })
  })
  socket.on('error', () => { socket.terminate() })
  await Promise.race([once(socket, 'open'), closed])
  const client: Client = {
    frames,
    closed,
    socket,
    send (command) { socket.send(typeof command === 'string' ? command : JSON.stringify(command)) },
    async ask (command) {
      const own = ++id
      client.send({ id: own, ...command })
      return await client.next((frame) => frame['id'] === own)
    },
    async next (fits, timeoutMs = 5000) {
      return await new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(look)
          reject(new Error(`no such frame in ${timeoutMs} ms; heard ${JSON.stringify(frames.slice(-5))}`))
        }, timeoutMs)
        const look = (): void => {
          const found = frames.find(fits)
          if (found === undefined) return
          clearTimeout(timer)
          waiting.delete(look)
          resolve(found)
        }
        waiting.add(look)
        look()
      })
    },
    pubs: (channel) => frames.filter((frame) => frame['t'] === 'pub' && frame['ch'] === channel),
    async close () {
      socket.close()
      await closed
    }
  }
  t.teardown(() => { socket.terminate() })
  return client
}

export async function signedIn (t: Teardown, url: string, { user = 'ann', session = 's1', subs = {} }: {
  user?: string, session?: string, subs?: object
} = {}): Promise<Client & { welcome: Frame }> {
  const client = await dial(t, url)
  const tab = randomBytes(6).toString('hex')
  const welcome = await client.ask({ t: 'connect', v: 1, token: `${user}/${session}`, session: tab, subs })
  return Object.assign(client, { welcome })
}
