import { randomFillSync } from 'node:crypto'

const random = Buffer.alloc(8192)
let used = random.length
let lastMs = 0
let counter = 0

/** A UUIDv7 (RFC 9562): 48 bits of milliseconds, a 12-bit counter that keeps the order inside one, 62 random bits. */
export function uuidv7 (nowMs: number = Date.now()): string {
  if (nowMs > lastMs) {
    lastMs = nowMs
    counter = takeRandom(2).readUInt16BE(0) & 0x7ff
  } else if (++counter > 0xfff) {
    lastMs++
    counter = 0
  }
  const tail = takeRandom(8)
  const time = lastMs.toString(16).padStart(12, '0')
  const hex = tail.toString('hex')
  const variant = ((tail[0] as number & 0x3f) | 0x80).toString(16)
  return `${time.slice(0, 8)}-${time.slice(8)}-7${counter.toString(16).padStart(3, '0')}` +
    `-${variant}${hex.slice(2, 4)}-${hex.slice(4)}`
}

/** The instant in milliseconds that a UUIDv7 carries. */
export function msOfUuidv7 (id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
}

function takeRandom (bytes: number): Buffer {
  if (used + bytes > random.length) {
    randomFillSync(random)
    used = 0
  }
  used += bytes
  return random.subarray(used - bytes, used)
}
