// A client of the WebSocket door that writes everything down: frames, positions, and how each channel came back.
import { setTimeout as sleep } from 'node:timers/promises'

export interface Publication { o: number, mid: string, k: string, key?: string, d: Record<string, unknown>, at: number }

export interface Channel {
  /** Every publication in the order of its arrival. */
  pubs: Publication[]
  /** The newest value by key, of a topic of state. */
  state: Map<string, Record<string, unknown>>
  epoch: string
  offset: number
  mid: string | undefined
  /** `rec` of every answer after the first. */
  recoveries: boolean[]
  /** Number of publications at each fresh load. */
  loads: number[]
}

export interface Watcher {
  name: string
  channels: Map<string, Channel>
  /** Every frame of the server as text. */
  frames: string[]
  /** Broken rules: an offset that skips or falls, a reply that is an error. */
  faults: string[]
  subscribe: (channel: string) => Promise<void>
  channel: (channel: string) => Channel
  /** Loses the connection and stays away so long. */
  cut: (ms: number) => Promise<void>
  close: () => void
}

interface Options {
  name: string
  origin: string
  token: () => string
  /** Called when continuity of a channel cannot be proved: load its state by REST. */
  onLoad: (channel: string) => void
}

// Frames are read by name; what is missing shows as a fault.

type Frame = Record<string, any>

const lost: Frame = {}

/** Opens the door and waits until it is live. It comes back by itself after a loss, with its positions. */
export async function openWatcher ({ name, origin, token, onLoad }: Options): Promise<Watcher> {
  const channels = new Map<string, Channel>()
  const frames: string[] = []
  const faults: string[] = []
  const replies = new Map<number, (frame: Frame) => void>()
  let socket: WebSocket | undefined
  let nextId = 1
  let isClosed = false
  let awayUntil = 0

  function channelOf (ch: string): Channel {
    const known = channels.get(ch)
    if (known !== undefined) return known
    const made: Channel = {
      pubs: [], state: new Map(), epoch: '', offset: 0, mid: undefined, recoveries: [], loads: []
    }
    channels.set(ch, made)
    return made
  }

  function send (frame: Frame): void {
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame))
  }

  /** The reply, or `lost` where the connection went before it came. */
  async function command (frame: Frame): Promise<Frame> {
    const asked = socket
    if (asked?.readyState !== WebSocket.OPEN) return lost
    const id = nextId++
    const reply = new Promise<Frame>((resolve) => {
      replies.set(id, resolve)
      asked.addEventListener('close', () => { resolve(lost) }, { once: true })
    })
    send({ id, ...frame })
    return await reply
  }

  function takePosition (ch: string, answer: Frame): void {
    const channel = channelOf(ch)
    if (answer['err'] !== undefined) {
      faults.push(`${name} ${ch}: ${JSON.stringify(answer['err'])}`)
      return
    }
    const isReturn = channel.epoch !== ''
    if (isReturn) channel.recoveries.push(answer['rec'])
    if (answer['full'] === true) channel.state.clear()
    if (answer['rec'] === false || (isReturn && answer['e'] !== channel.epoch)) {
      channel.loads.push(channel.pubs.length)
      onLoad(ch)
    }
    channel.epoch = answer['e']
    // Replayed publications follow; without any the position is the top.
    if (answer['n'] === 0 || answer['rec'] === false) {
      channel.offset = answer['o']
      channel.mid = answer['m']
    }
  }

  function takePublication (frame: Frame): void {
    const channel = channelOf(frame['ch'])
    const { o, mid, k, key, d, del } = frame
    channel.pubs.push({ o, mid, k, key, d, at: Date.now() })
    // Keys of a topic of state may arrive out of order in a full load, and only there.
    if (o <= channel.offset && key === undefined) {
      faults.push(`${name} ${frame['ch']}: offset ${o} after ${channel.offset}`)
    }
    channel.offset = Math.max(o, channel.offset)
    channel.mid = mid
    if (key !== undefined && del !== true) channel.state.set(key, d)
    if (key !== undefined && del === true) channel.state.delete(key)
  }

  function take (text: string): void {
    frames.push(text)
    for (const line of text.split('\n')) {
      const frame = JSON.parse(line) as Frame
      if (Object.keys(frame).length === 0) send({})
      else if (frame['id'] !== undefined) answered(frame)
      else if (frame['t'] === 'pub') takePublication(frame)
      else if (frame['t'] === 'unsub') void resubscribe(frame)
    }
  }

  function answered (frame: Frame): void {
    const { subs = {} } = frame['ok'] ?? {}
    for (const [ch, answer] of Object.entries<Frame>(subs)) takePosition(ch, answer)
    replies.get(frame['id'])?.(frame)
    replies.delete(frame['id'])
  }

  async function resubscribe ({ ch, code }: Frame): Promise<void> {
    if (code < 2500) faults.push(`${name} ${ch}: unsub ${code}`)
    else await subscribe(ch)
  }

  async function subscribe (ch: string): Promise<void> {
    const { epoch, offset, mid } = channelOf(ch)
    const rec = epoch === '' ? {} : { rec: { e: epoch, o: offset, ...(mid === undefined ? {} : { m: mid }) } }
    const reply = await command({ t: 'sub', ch, ...rec })
    if (reply !== lost) {
      takePosition(ch, reply['ok'] ?? reply)
      return
    }
    // The next connection asks for every channel that is known here.
    while (channelOf(ch).epoch === '' && !isClosed) await sleep(50)
  }

  async function connect (): Promise<boolean> {
    const door = new URL('/live', origin)
    door.protocol = 'ws:'
    const opened = new WebSocket(door, 'hub.v1.json')
    socket = opened
    opened.addEventListener('message', ({ data }) => { take(data as string) })
    const isOpen = await new Promise<boolean>((resolve) => {
      opened.addEventListener('open', () => { resolve(true) }, { once: true })
      opened.addEventListener('close', () => { resolve(false) }, { once: true })
    })
    if (!isOpen) return false
    const subs = Object.fromEntries([...channels].map(([ch, { epoch, offset, mid }]) =>
      [ch, epoch === '' ? {} : { e: epoch, o: offset, ...(mid === undefined ? {} : { m: mid }) }]))
    const reply = await command({ t: 'connect', v: 1, token: token(), sdk: `script/${name}`, subs })
    return reply['ok'] !== undefined
  }

  /** Stays connected until closed. */
  async function stay (onFirst: () => void): Promise<void> {
    while (!isClosed) {
      if (Date.now() < awayUntil) await sleep(awayUntil - Date.now())
      if (await connect()) {
        onFirst()
        await new Promise((resolve) => socket?.addEventListener('close', resolve, { once: true }))
      } else await sleep(250)
    }
  }

  await new Promise<void>((resolve) => { void stay(resolve) })
  return {
    name,
    channels,
    frames,
    faults,
    subscribe,
    channel: channelOf,
    async cut (ms) {
      awayUntil = Date.now() + ms
      socket?.close()
      await sleep(ms)
    },
    close () {
      isClosed = true
      socket?.close()
    }
  }
}
