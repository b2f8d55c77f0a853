import { LiveError, frameLimits, type PublishInput } from '../../src/kernel/index.ts'

/** A numbered item of a channel as every subscriber gets it. */
export interface Item {
  o: number
  mid: string
  /** State: the key whose whole value it is. */
  key: string | null
  frame: Buffer
}

const plain = /^[^"\\\p{Cc}]{1,128}$/u

/**
 * Everything of the frame after its number: `"mid":…,"key":…,"ts":…,"k":…,"d":…}`. Made once by the publisher; no
 * process parses it again, so the mid and the key stand first and hold nothing that JSON would escape.
 */
export function payloadOf (input: PublishInput & { mid: string }, ts: number): string {
  if (!plain.test(input.mid)) throw LiveError.bad_publication({}, { detail: 'The mid is not plain text.' })
  if (input.key !== undefined && !plain.test(input.key)) {
    throw LiveError.bad_publication({}, { detail: 'The key is not plain text of at most 128 characters.' })
  }
  const data = JSON.stringify(input.data ?? null)
  if (Buffer.byteLength(data) > frameLimits.data) {
    const detail = `${input.kind} has ${Buffer.byteLength(data)} bytes; ${frameLimits.data} may be published.`
    throw LiveError.bad_publication({}, { detail })
  }
  return `"mid":"${input.mid}",` + (input.key === undefined ? '' : `"key":"${input.key}",`) +
    (input.isDeleted === true ? '"del":true,' : '') + `"ts":${ts},"k":${JSON.stringify(input.kind)},` +
    (input.by === undefined ? '' : `"by":${JSON.stringify(input.by)},`) + `"d":${data}}`
}

/** The item of a stored or heard payload. */
export function itemOf (channel: string, o: number, payload: Buffer): Item {
  const midEnd = payload.indexOf(0x22, 7)
  const hasKey = payload.toString('latin1', midEnd + 2, midEnd + 9) === '"key":"'
  return {
    o,
    mid: payload.toString('utf8', 7, midEnd),
    key: hasKey ? payload.toString('utf8', midEnd + 9, payload.indexOf(0x22, midEnd + 9)) : null,
    frame: Buffer.concat([Buffer.from(`{"t":"pub","ch":"${channel}","o":${o},`), payload])
  }
}

/** A message of the wire: `o:e:flags:` and the payload. Flag `e`: the epoch began, nothing else. */
export function parseWire (message: Buffer): { o: number, epoch: string, flags: string, payload: Buffer } {
  const first = message.indexOf(0x3a)
  const second = message.indexOf(0x3a, first + 1)
  const third = message.indexOf(0x3a, second + 1)
  return {
    o: Number(message.toString('latin1', 0, first)),
    epoch: message.toString('latin1', first + 1, second),
    flags: message.toString('latin1', second + 1, third),
    payload: message.subarray(third + 1)
  }
}
