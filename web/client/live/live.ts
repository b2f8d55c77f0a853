import { createCollection, type Collection, type CollectionOptions } from './collection.ts'
import { createFollow, type Answer, type Follow } from './follow.ts'
import { createSocket, type Wire } from './socket.ts'
import type { Handlers, ListState, LiveInfo, LiveOptions, LiveProblem, LiveStatus, Position, Pub } from './types.ts'

export interface Subscription {
  readonly channel: string
  /** Where it stands, to be kept for a later run. */
  position (): Position | undefined
  close (): void
}

export interface Live {
  /** Follows a channel; what the server subscribes by itself (an inbox) is followed in the same way. */
  subscribe<S extends ListState = ListState, T = unknown> (channel: string, handlers: Handlers<S, T>): Subscription
  /** Follows a state channel as a map of its keys. */
  collection<T extends object> (channel: string, options?: CollectionOptions<T>): Collection<T>
  info (): LiveInfo
  /** Lets go of the socket and comes back after so long with its positions. */
  interrupt (ms: number): void
  close (): void
}

interface Frame { [field: string]: any, id?: number, t?: string, ch?: string }

interface Welcome { ping: number, subs: Record<string, Answer & { err?: LiveProblem }> }

/** What a browser has and Node has not. */
interface Page {
  reportError?: (error: unknown) => void
  addEventListener?: (name: string, listener: () => void) => void
  removeEventListener?: (name: string, listener: () => void) => void
  document?: {
    visibilityState: string
    addEventListener: (name: string, listener: () => void) => void
    removeEventListener: (name: string, listener: () => void) => void
  }
}
const page = globalThis as unknown as Page

const healthyMs = 10_000
const longestMs = 20_000

/** One socket to `/live`: connects, resumes every channel where it was, tells plainly when it cannot. */
export function createLive (options: LiveOptions): Live {
  const { token, sdk = 'web/1.0', onInfo, onFrame, onError = (error) => { page.reportError?.(error) } } = options
  const follows = new Map<string, Follow>()
  const session = options.session ?? crypto.randomUUID()
  let status: LiveStatus = 'idle'
  let wire: Wire | undefined
  let tries = 0
  let againAt: number | undefined
  let code: number | undefined
  let retryMs: number | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let healthy: ReturnType<typeof setTimeout> | undefined

  function info (): LiveInfo {
    const missing = [...follows.values()].reduce((sum, follow) => sum + follow.missing, 0)
    return { status, missing, ...(againAt === undefined ? {} : { againAt }), ...(code === undefined ? {} : { code }) }
  }

  function become (next: LiveStatus): void {
    status = next
    if (next !== 'waiting') againAt = undefined
    onInfo?.(info())
  }

  const changed = (): void => { onInfo?.(info()) }
  const retry = (work: () => void): void => { setTimeout(work, 250 + Math.random() * 750) }

  function onServerFrame (frame: Frame): void {
    onFrame?.(frame)
    const follow = frame.ch === undefined ? undefined : follows.get(frame.ch)
    if (frame.t === 'pub') follow?.onPub(frame as unknown as Pub)
    else if (frame.t === 'live') follow?.onLive(frame['o'])
    else if (frame.t === 'unsub') unsubscribed(follow, frame)
    else if (frame.t === 'expiring') void refresh()
    else if (frame.t === 'bye') retryMs = frame['retryMs']
  }

  function unsubscribed (follow: Follow | undefined, frame: Frame): void {
    if (follow === undefined) return
    follow.isJoined = false
    if (frame['code'] >= 2500) join(follow)
    else finish(follow, { code: frame['code'], key: 'live.unsubscribed', msg: frame['reason'], temp: false })
  }

  async function refresh (): Promise<void> {
    try {
      wire?.ask({ t: 'refresh', token: await token() })
    } catch (error) {
      onError(error)
    }
  }

  function join (follow: Follow): void {
    const own = wire
    if (own === undefined || status !== 'live' || follow.isJoined) return
    follow.isJoined = true
    const { position, channel } = follow
    own.ask({ t: 'sub', ch: channel, ...(position === undefined ? {} : { rec: position }) }, (reply) => {
      if (own === wire && follows.get(channel) === follow) answered(follow, reply)
    })
  }

  function answered (follow: Follow, { ok, err }: { ok?: Answer, err?: LiveProblem }): void {
    if (ok !== undefined) follow.onAnswer(ok)
    else if (err?.temp === true) {
      follow.isJoined = false
      setTimeout(() => { join(follow) }, err.retryMs ?? 1000)
    } else if (err !== undefined && err.code !== 105) finish(follow, err)
  }

  function finish (follow: Follow, problem: LiveProblem): void {
    follows.delete(follow.channel)
    follow.end(problem)
  }

  async function connect (): Promise<void> {
    clearTimeout(timer)
    become('connecting')
    let proof: string
    try {
      proof = await token()
    } catch (error) {
      onError(error)
      lost(undefined)
      return
    }
    if (status !== 'connecting') return
    const own = createSocket({
      url: options.url,
      WebSocket: options.WebSocket ?? WebSocket,
      onFrame: onServerFrame,
      onOpen: () => { greet(own, proof) },
      onClose: (why) => { if (wire === own) lost(why) }
    })
    wire = own
  }

  function greet (own: Wire, proof: string): void {
    const subs = Object.fromEntries([...follows.values()].map(({ channel, position }) => [channel, position ?? {}]))
    own.ask({ t: 'connect', v: 1, token: proof, sdk, session, subs }, (reply) => {
      onFrame?.(reply)
      // A refusal is followed by the close that says what to do.
      if (wire === own && reply.ok !== undefined) welcomed(own, reply.ok)
    })
  }

  function welcomed (own: Wire, { ping, subs }: Welcome): void {
    own.expectPings(ping)
    healthy = setTimeout(() => { tries = 0 }, healthyMs)
    status = 'live'
    for (const [channel, answer] of Object.entries(subs)) {
      const follow = follows.get(channel)
      if (follow === undefined) idle.set(channel, answer)
      else answered(follow, answer.err === undefined ? { ok: answer } : { err: answer.err })
    }
    become('live')
    for (const follow of follows.values()) join(follow)
  }

  /** A channel of the server that nobody follows yet: its position is kept for who comes. */
  const idle = new Map<string, Answer>()

  function lost (why: number | undefined): void {
    clearTimeout(healthy)
    wire = undefined
    idle.clear()
    code = why
    for (const follow of follows.values()) Object.assign(follow, { isJoined: false, missing: 0 })
    if (status === 'stopped') return
    if (why !== undefined && (why >= 4500 || why === 4013)) {
      become('stopped')
      return
    }
    const waitMs = retryMs ?? Math.random() * Math.min(longestMs, 500 * 2 ** ++tries)
    retryMs = undefined
    againAt = Date.now() + waitMs
    become('waiting')
    timer = setTimeout(() => { void connect() }, waitMs)
  }

  function hurry (): void {
    tries = 0
    if (status === 'waiting' && page.document?.visibilityState !== 'hidden') void connect()
  }

  page.addEventListener?.('online', hurry)
  page.document?.addEventListener('visibilitychange', hurry)
  void connect()

  const live: Live = {
    info,
    subscribe (channel, handlers) {
      if (follows.has(channel)) throw new Error(`${channel} is followed already`)
      const follow = createFollow(channel, handlers as unknown as Handlers, { retry, changed, onError })
      follows.set(channel, follow)
      const known = idle.get(channel)
      idle.delete(channel)
      // The server has been sending this one all along: it counts as a fresh subscription from now on.
      if (known !== undefined) follow.onAnswer({ ...known, was: false, rec: true, n: 0 })
      else join(follow)
      return {
        channel,
        position: () => follow.position,
        close () {
          if (follows.get(channel) !== follow) return
          follows.delete(channel)
          if (follow.isJoined) wire?.ask({ t: 'unsub', ch: channel })
        }
      }
    },
    collection: (channel, settings) => createCollection(live, channel, settings),
    interrupt (ms) {
      retryMs = ms
      wire?.close()
    },
    close () {
      become('stopped')
      clearTimeout(timer)
      clearTimeout(healthy)
      page.removeEventListener?.('online', hurry)
      page.document?.removeEventListener('visibilitychange', hurry)
      wire?.close()
    }
  }
  return live
}
