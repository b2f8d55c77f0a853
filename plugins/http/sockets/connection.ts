import type { WebSocket } from 'ws'
import { closeCodes, frameLimits, type Actor } from '../../../src/kernel/index.ts'
import type { Item } from '../../pubsub/publication.ts'
import type { Fanout, Join } from './fanout.ts'
import { createBacklog, isEmpty, pressure, setAside, type Backlog } from './pressure.ts'
import type { Subscription } from './subscriptions.ts'
import type { Timed, Wheel } from './wheel.ts'

export interface ConnectionTimes { pingMs: number, pongMs: number, connectMs: number }

/** What a connection asks of the hub. */
export interface ConnectionFloor {
  wheel: Wheel
  fanout: Fanout
  times: ConnectionTimes
  onMessage (connection: Connection, text: string): void
  /** Looks at the proof; answers when to look again. */
  onTime (connection: Connection, nowMs: number): number
  onClosed (connection: Connection): void
  /** Publications after `from`, or null where the channel does not keep them. */
  after (subscription: Subscription): Promise<Item[] | null>
}

export interface Bye { retryMs?: number, resume?: boolean, reason?: string }

const ping = Buffer.from('{}')
const asText = { binary: false }

/** One socket: what waits for it, how slow it is, whether it lives. */
export class Connection implements Timed {
  readonly cid: string
  readonly socket: WebSocket
  readonly ip: string
  readonly subscriptions = new Map<string, Subscription>()
  readonly backlog: Backlog = createBacklog()
  readonly openedMs: number
  actor: Actor | null = null
  token = ''
  session = ''
  expiresMs = Number.POSITIVE_INFINITY
  recheckMs = Number.POSITIVE_INFINITY
  /** How long before the end of the proof it is told. */
  expiryNoticeMs = 0
  isExpiryTold = false
  isClosing = false
  nextSid = 1
  private readonly floor: ConnectionFloor
  private waiting: Buffer[] = []
  private waitingBytes = 0
  private buffered = 0
  private isDirty = false
  private isCatchingUp = false
  private lastOutMs: number
  private pingedMs = 0
  private pingAfterMs: number

  constructor (socket: WebSocket, { cid, ip, floor }: { cid: string, ip: string, floor: ConnectionFloor }) {
    this.socket = socket
    this.cid = cid
    this.ip = ip
    this.floor = floor
    this.openedMs = this.lastOutMs = floor.wheel.now()
    this.pingAfterMs = floor.times.pingMs * (0.9 + Math.random() / 5)
    socket.on('message', (data, isBinary) => { this.onMessage(data as Buffer, isBinary) })
    socket.on('close', () => { this.onClose() })
    floor.wheel.add(this, floor.times.connectMs)
  }

  private onMessage (data: Buffer, isBinary: boolean): void {
    this.pingedMs = 0
    if (this.isClosing) return
    if (isBinary) {
      this.isClosing = true
      this.socket.close(1003)
      return
    }
    this.floor.onMessage(this, data.toString())
  }

  private onClose (): void {
    this.isClosing = true
    this.floor.wheel.remove(this)
    this.waiting = []
    this.floor.onClosed(this)
  }

  /** Something changed that has a time: looks at it soon. */
  look (): void { this.floor.wheel.add(this, 250) }

  /** Queues a reply or a control frame; these are never left out. */
  send (frame: object): void {
    this.enqueue(Buffer.from(JSON.stringify(frame)))
  }

  enqueue (frame: Buffer): void {
    if (this.socket.readyState !== this.socket.OPEN) return
    this.waiting.push(frame)
    this.waitingBytes += frame.length + 1
    if (this.isDirty) return
    this.isDirty = true
    this.floor.fanout.touch(this)
  }

  /** A publication of a live subscription: sent, or set aside while the socket is slow. */
  publish (subscription: Subscription, item: Item): void {
    if (this.buffered + this.waitingBytes + item.frame.length >= pressure.conflateBytes || !isEmpty(this.backlog)) {
      this.buffered = this.socket.bufferedAmount
      const pendingBytes = this.buffered + this.waitingBytes + item.frame.length
      if (setAside(this.backlog, subscription, item, { pendingBytes, nowMs: this.floor.wheel.now() })) {
        this.floor.wheel.add(this, 250)
        return
      }
    }
    subscription.from = item.o
    this.enqueue(item.frame)
  }

  flush (join: Join): void {
    this.isDirty = false
    if (this.socket.readyState !== this.socket.OPEN || this.waiting.length === 0) return
    if (this.buffered > pressure.lagBytes) this.buffered = this.socket.bufferedAmount
    if (this.buffered > pressure.lagBytes) {
      if (this.waitingBytes > pressure.queueBytes) this.bye(closeCodes.tooSlow, { reason: 'too slow' })
      else this.floor.wheel.add(this, 250)
      return
    }
    const { waiting } = this
    if (waiting.length === 1) {
      this.socket.send(waiting[0] as Buffer, asText)
      waiting.pop()
    } else {
      for (const message of join(waiting)) this.socket.send(message, asText)
      this.waiting = []
    }
    this.waitingBytes = 0
    this.lastOutMs = this.floor.wheel.now()
    this.buffered = this.socket.bufferedAmount
  }

  onTime (nowMs: number): number {
    if (this.isClosing) return 0
    if (this.actor === null && nowMs - this.openedMs >= this.floor.times.connectMs) {
      this.bye(closeCodes.noConnect, { reason: 'no connect in time' })
      return 0
    }
    if (this.isDead(nowMs)) return 0
    if (this.waiting.length > 0 || !isEmpty(this.backlog)) return this.ease(nowMs)
    return Math.max(250, Math.min(this.untilPing(nowMs), this.floor.onTime(this, nowMs)))
  }

  private isDead (nowMs: number): boolean {
    if (this.pingedMs === 0 || nowMs - this.pingedMs < this.floor.times.pongMs) return false
    this.bye(closeCodes.noPong, { reason: 'no pong' })
    // A peer that is gone never answers the close either.
    setTimeout(() => { this.socket.terminate() }, 1000).unref()
    return true
  }

  private untilPing (nowMs: number): number {
    if (this.pingedMs > 0) return this.pingedMs + this.floor.times.pongMs - nowMs
    const silentMs = nowMs - this.lastOutMs
    if (silentMs < this.pingAfterMs) return this.pingAfterMs - silentMs
    this.pingedMs = nowMs
    this.enqueue(ping)
    return this.floor.times.pongMs
  }

  /** A slow socket: goes on where it has drained, closes it where it does not. */
  private ease (nowMs: number): number {
    const { laggingSince } = this.backlog
    if (laggingSince > 0 && nowMs - laggingSince > pressure.lagMs) {
      this.bye(closeCodes.tooSlow, { reason: 'too slow' })
      return 0
    }
    this.buffered = this.socket.bufferedAmount
    if (this.buffered < pressure.easeBytes) {
      if (this.waiting.length > 0 && !this.isDirty) {
        this.isDirty = true
        this.floor.fanout.touch(this)
      }
      this.releaseConflated()
      if (this.backlog.left.size > 0 && !this.isCatchingUp) void this.catchUp()
    }
    this.floor.onTime(this, nowMs)
    return 250
  }

  private releaseConflated (): void {
    const { conflated } = this.backlog
    for (const [subscription, byKey] of conflated) {
      conflated.delete(subscription)
      for (const item of byKey.values()) {
        if (subscription.isOver || item.o <= subscription.from) continue
        subscription.from = item.o
        this.enqueue(item.frame)
      }
      if (this.waitingBytes > frameLimits.frame) return
    }
  }

  /** One slice per channel that was left behind; the rest at the next turn. */
  private async catchUp (): Promise<void> {
    this.isCatchingUp = true
    try {
      for (const subscription of [...this.backlog.left.keys()]) {
        const items = await this.floor.after(subscription)
        if (this.isClosing || !this.backlog.left.has(subscription)) continue
        if (items === null) {
          this.bye(closeCodes.tooSlow, { reason: 'too slow' })
          return
        }
        this.resume(subscription, items)
      }
    } finally {
      this.isCatchingUp = false
      if (this.backlog.left.size === 0) this.backlog.laggingSince = 0
    }
  }

  private resume (subscription: Subscription, items: readonly Item[]): void {
    for (const item of items) {
      if (item.o <= subscription.from) continue
      if (this.waitingBytes > frameLimits.frame) return
      subscription.from = item.o
      this.enqueue(item.frame)
    }
    if (subscription.from >= subscription.channel.last) this.backlog.left.delete(subscription)
  }

  forget (subscription: Subscription): void {
    this.backlog.conflated.delete(subscription)
    this.backlog.left.delete(subscription)
  }

  /** Says why and closes; what waits goes out first. */
  bye (code: number, { retryMs = 0, resume = code < 4500, reason = '' }: Bye = {}): void {
    if (this.isClosing) return
    this.isClosing = true
    const frames = [...this.waiting, Buffer.from(JSON.stringify({ t: 'bye', code, reason, retryMs, resume }))]
    this.waiting = []
    if (code !== closeCodes.tooSlow) this.socket.send(frames.join('\n'))
    this.socket.close(code, reason)
    if (code === closeCodes.tooSlow) setTimeout(() => { this.socket.terminate() }, 5000).unref()
  }
}
