import type { ServerResponse } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import type { Effect, Met } from './faults.ts'
import type { RequestEntry } from './ledger.ts'

/** What a face answers. `offset` is the place of the body's first byte in the file, `size` the whole file's. */
export interface Answer {
  status: number
  headers?: Record<string, string>
  body?: Buffer | string | object | null
  offset?: number
  size?: number
  isPaced?: boolean
}

interface Shipment {
  answer: Answer
  met: Met[]
  entry: RequestEntry
  raw: ServerResponse
  isHead: boolean
  bytesPerSecond: number
  sent: (from: number, to: number) => void
}

const pieceBytes = 16 * 1024

/** Sends an answer with the faults that it met; resolves with how it ended. */
export async function deliver (shipment: Shipment): Promise<RequestEntry['outcome']> {
  const { entry, raw, isHead } = shipment
  const { status, headers, body } = bend(bytesOf(shipment.answer), shipment)
  const promised = body.length + (spend(shipment, 'wrong-length')?.by ?? 0)
  entry.status = status
  entry.contentRange = headers['content-range'] ?? null
  raw.writeHead(status, { ...headers, ...lengthOf(status, promised) })
  if (isHead) return await end(raw)
  const stop = stopOf(shipment, body, promised)
  const isPoured = await pour(shipment, stop ? body.subarray(0, stop.at) : body)
  if (!isPoured) {
    stop?.giveBack?.()
    return 'closed'
  }
  return stop ? cutOff(raw, stop.kind) : await end(raw)
}

/** An answer that may not have a body gets no length either (RFC 9110, 8.6). */
function lengthOf (status: number, bytes: number): Record<string, string> {
  return status === 304 || status === 204 ? {} : { 'content-length': String(bytes) }
}

function bytesOf ({ status, headers = {}, body = null }: Answer) {
  if (body === null) return { status, headers, body: Buffer.alloc(0) }
  if (Buffer.isBuffer(body)) return { status, headers, body }
  if (typeof body === 'string') return { status, headers, body: Buffer.from(body) }
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
    body: Buffer.from(JSON.stringify(body))
  }
}

/** Faults that change what is said, not how far it gets. */
function bend (plain: ReturnType<typeof bytesOf>, shipment: Shipment) {
  const bent = { ...plain }
  const html = spend(shipment, 'html')
  if (html) {
    bent.status = html.status ?? 200
    bent.headers = { 'content-type': 'text/html; charset=utf-8' }
    bent.body = Buffer.from('<!doctype html><title>Down for maintenance</title><p>We will be back soon.</p>\n')
  }
  if (spend(shipment, 'truncated-json')) bent.body = bent.body.subarray(0, Math.floor(bent.body.length / 2))
  const etag = spend(shipment, 'etag')
  if (etag) bent.headers = { ...bent.headers, etag: etag.etag }
  const extra = spend(shipment, 'headers')
  if (extra) bent.headers = { ...bent.headers, ...extra.headers }
  return bent
}

interface Stop {
  kind: 'cut' | 'reset'
  at: number
  giveBack?: () => void
}

/** Where the body breaks off: a cut is met only by an answer that would pass its place in the file. */
function stopOf ({ answer, met, entry }: Shipment, body: Buffer, promised: number): Stop | null {
  const { offset = 0, size = body.length } = answer
  for (const { id, effect, use, giveBack } of met) {
    if (effect.kind !== 'cut' && effect.kind !== 'reset') continue
    const at = placeOf(effect, size) - offset
    if (at < 0 || at >= body.length || !use()) continue
    entry.faults.push(`${id} ${effect.kind}`)
    return { kind: effect.kind, at, giveBack }
  }
  return promised === body.length ? null : { kind: 'cut', at: body.length }
}

function placeOf ({ atByte, atShare = 0.5 }: { atByte?: number, atShare?: number }, size: number): number {
  return atByte ?? Math.floor(size * atShare)
}

/** The first effect of a kind, once its turn is spent. */
export function spend<K extends Effect['kind']> (
  { met, entry }: Pick<Shipment, 'met' | 'entry'>, kind: K
): Extract<Effect, { kind: K }> | null {
  for (const { id, effect, use } of met) {
    if (effect.kind !== kind || !use()) continue
    entry.faults.push(`${id} ${kind}`)
    return effect as Extract<Effect, { kind: K }>
  }
  return null
}

/** Writes the body, paced by a token bucket: a first piece at once, then one each time its bytes are earned. */
async function pour (shipment: Shipment, body: Buffer): Promise<boolean> {
  const { answer: { offset = 0 }, entry, raw, sent } = shipment
  const rate = rateOf(shipment)
  const step = Number.isFinite(rate) ? Math.floor(Math.min(pieceBytes, Math.max(1, rate / 4))) : body.length
  const start = performance.now()
  for (let at = 0; at < body.length; at += step) {
    const early = start + at / rate * 1000 - performance.now()
    if (early > 0) await wait(early)
    const piece = body.subarray(at, at + step)
    if (raw.destroyed || !await write(raw, piece)) return false
    entry.bytesSent += piece.length
    sent(offset + at, offset + at + piece.length)
  }
  return true
}

/** Bytes per second. */
function rateOf (shipment: Shipment): number {
  const usual = shipment.answer.isPaced ? shipment.bytesPerSecond : Infinity
  return spend(shipment, 'bandwidth')?.bytesPerSecond ?? usual
}

/** False when the other side has gone. */
function write (raw: ServerResponse, piece: Buffer): Promise<boolean> {
  return new Promise((resolve) => {
    const gone = () => resolve(false)
    raw.once('close', gone)
    raw.write(piece, (error) => {
      raw.off('close', gone)
      resolve(!error)
    })
  })
}

function end (raw: ServerResponse): Promise<'sent' | 'closed'> {
  return new Promise((resolve) => {
    raw.once('close', () => resolve(raw.writableFinished ? 'sent' : 'closed'))
    raw.end(() => resolve('sent'))
  })
}

function cutOff (raw: ServerResponse, kind: 'cut' | 'reset'): 'cut' {
  if (kind === 'reset') raw.socket?.resetAndDestroy()
  else raw.destroy()
  return 'cut'
}
