import type { Position } from './stores/list.ts'

export interface Pub { o: number, ts: number, k: string, key?: string, d: Record<string, unknown> }
export interface Follower { getState?: () => Promise<{ position?: Position } | undefined>, onPub: (pub: Pub) => void }
export type Said = { name: 'connecting' | 'live' | 'waiting' | 'catching' | 'stopped', againAt?: number, missing: number }

interface Sub { follower: Follower, e?: string, o: number, m?: string, isOn: boolean, missing: number }
interface Frame { t?: string, id?: number, ok?: any, err?: any, ch?: string, o?: number, k?: string, key?: string, mid?: string, ts?: number, d?: any, code?: number, retryMs?: number }

export function createWire ({ url, token, onState }: { url: string, token: () => Promise<string>, onState: (said: Said) => void }) {
  const subs = new Map<string, Sub>()
  const replies = new Map<number, (frame: Frame) => void>()
  let socket: WebSocket | undefined
  let isLive = false
  let lastId = 0
  let tries = 0
  let retryMs: number | undefined
  let session: string | undefined
  let watch: ReturnType<typeof setTimeout> | undefined
  let pingMs = 35_000
  let isStopped = false

  function tell (): void {
    if (isStopped) { onState({ name: 'stopped', missing: 0 }); return }
    if (!isLive) return
    const missing = [...subs.values()].reduce((sum, { missing: left }) => sum + Math.max(0, left), 0)
    onState({ name: missing > 0 ? 'catching' : 'live', missing })
  }

  async function send (command: object): Promise<Frame> {
    const id = ++lastId
    socket?.send(JSON.stringify({ id, ...command }))
    return await new Promise((resolve) => { replies.set(id, resolve) })
  }

  function alive (): void {
    clearTimeout(watch)
    watch = setTimeout(() => { socket?.close(); lost() }, pingMs + 10_000)
  }

  function onFrame (frame: Frame): void {
    if (frame.id !== undefined) {
      replies.get(frame.id)?.(frame)
      replies.delete(frame.id)
      return
    }
    const sub = frame.ch === undefined ? undefined : subs.get(frame.ch)
    if (frame.t === 'pub' && sub !== undefined) {
      if (frame.o !== undefined && frame.o <= sub.o && sub.missing <= 0 && sub.e !== undefined && frame.key === undefined) return
      sub.o = Math.max(sub.o, frame.o ?? 0)
      if (frame.mid !== undefined) sub.m = frame.mid
      sub.missing--
      sub.follower.onPub(frame as unknown as Pub)
      if (sub.missing === 0) tell()
    } else if (frame.t === 'live' && sub !== undefined) {
      sub.missing = 0
      tell()
    } else if (frame.t === 'unsub' && sub !== undefined) {
      sub.isOn = false
      if ((frame.code ?? 0) >= 2500) void join(frame.ch ?? '', sub)
    } else if (frame.t === 'expiring') void token().then(async (fresh) => await send({ t: 'refresh', token: fresh }))
    else if (frame.t === 'bye') retryMs = frame.retryMs
  }

  async function load (sub: Sub): Promise<void> {
    const position = (await sub.follower.getState?.())?.position
    if (position !== undefined) Object.assign(sub, { e: position.epoch, o: position.offset, m: position.mid ?? undefined })
  }

  async function join (channel: string, sub: Sub): Promise<void> {
    if (sub.e === undefined) await load(sub)
    if (subs.get(channel) !== sub || !isLive || sub.isOn) return
    const rec = sub.e === undefined ? {} : { rec: { e: sub.e, o: sub.o, ...(sub.m === undefined ? {} : { m: sub.m }) } }
    sub.isOn = true
    take(channel, sub, await send({ t: 'sub', ch: channel, ...rec }))
  }

  function take (channel: string, sub: Sub, { ok, err }: Frame): void {
    if (err !== undefined) {
      if (err.code === 105) return
      sub.isOn = false
      if (err.temp === true) setTimeout(() => { void join(channel, sub) }, err.retryMs ?? 1000)
      return
    }
    sub.isOn = true
    sub.missing = ok.n ?? 0
    const isGap = ok.was === true && ok.rec === false
    if (sub.e !== ok.e) sub.o = ok.o
    sub.e = ok.e
    if (isGap || sub.missing === 0) sub.o = Math.max(sub.o, ok.o)
    if (isGap) void sub.follower.getState?.()
    tell()
  }

  async function connect (): Promise<void> {
    if (isStopped) return
    onState({ name: 'connecting', missing: 0 })
    let proof: string
    try { proof = await token() } catch { lost(); return }
    const mine = new WebSocket(url, 'hub.v1.json')
    socket = mine
    mine.onclose = (event) => {
      if (socket !== mine) return
      if (event.code >= 4500) { isStopped = true; tell() } else lost()
    }
    mine.onmessage = ({ data }) => {
      alive()
      for (const line of String(data).split('\n')) {
        const frame = JSON.parse(line) as Frame
        if (Object.keys(frame).length === 0) mine.send('{}')
        else onFrame(frame)
      }
    }
    mine.onopen = async () => {
      const known = [...subs].filter(([, sub]) => sub.e !== undefined)
      const claims = Object.fromEntries(known.map(([channel, { e, o, m }]) => [channel, { e, o, ...(m === undefined ? {} : { m }) }]))
      const { ok, err } = await send({ t: 'connect', v: 1, token: proof, sdk: 'web/1.0', subs: claims, ...(session === undefined ? {} : { session }) })
      if (err !== undefined) { mine.close(); return }
      session = ok.session
      pingMs = ok.ping
      isLive = true
      tries = 0
      for (const [channel, answer] of Object.entries(ok.subs as Record<string, any>)) {
        const sub = subs.get(channel)
        if (sub !== undefined) take(channel, sub, answer.err === undefined ? { ok: answer } : answer)
      }
      tell()
      for (const [channel, sub] of subs) if (!sub.isOn) void join(channel, sub)
    }
  }

  function lost (): void {
    clearTimeout(watch)
    socket = undefined
    isLive = false
    replies.clear()
    for (const sub of subs.values()) sub.isOn = false
    const waitMs = retryMs ?? 500 + Math.random() * Math.min(20_000, 500 * 2 ** tries++)
    retryMs = undefined
    onState({ name: 'waiting', againAt: Date.now() + waitMs, missing: 0 })
    setTimeout(() => { void connect() }, waitMs)
  }

  void connect()
  return {
    follow (channel: string, follower: Follower): () => void {
      const sub: Sub = { follower, o: 0, isOn: false, missing: 0 }
      subs.set(channel, sub)
      void join(channel, sub)
      return () => {
        if (subs.get(channel) !== sub) return
        subs.delete(channel)
        if (sub.isOn && isLive) void send({ t: 'unsub', ch: channel })
      }
    }
  }
}
