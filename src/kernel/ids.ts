import { randomBytes } from 'node:crypto'

const counters = Array.from({ length: 0x1000 }, (_, value) => value.toString(16).padStart(3, '0'))
const variants = new Map(Array.from('0123456789abcdef', (digit, value) => [digit, '89ab'[value & 3] as string]))
const digitsOfId = 16

/** Random hexadecimal digits, made in one go for many ids; `used` of them are spent. */
let digits = ''
let used = 0

/** Ids keep their order while a clock goes back; one that goes further back was put right, and is followed. */
const mostAheadMs = 60_000

const ofHost = createGenerator()
const ofStore = createGenerator()

/**
 * A UUIDv7 (RFC 9562): 48 bits of milliseconds, a 12-bit counter that keeps the order inside one, 62 random bits. The
 * time is the caller's, which is the store's, or else that of the host; neither draws the ids of the other along.
 */
export function uuidv7 (nowMs?: number): string {
  return nowMs === undefined ? ofHost(Date.now()) : ofStore(nowMs)
}

function createGenerator (): (nowMs: number) => string {
  let lastMs = 0
  let counter = 0
  /** What ids of this millisecond begin with: the time and the version. */
  let head = ''

  function startMs (ms: number): void {
    lastMs = ms
    const time = ms.toString(16).padStart(12, '0')
    head = `${time.slice(0, 8)}-${time.slice(8)}-7`
  }

  return (nowMs) => {
    if (used + digitsOfId > digits.length) refill()
    if (nowMs > lastMs || nowMs < lastMs - mostAheadMs) {
      counter = Number.parseInt(digits.slice(used, used + 3), 16) & 0x7ff
      startMs(nowMs)
      used += digitsOfId
      if (used === digits.length) refill()
    } else if (++counter > 0xfff) {
      counter = 0
      startMs(lastMs + 1)
    }
    const at = used
    used += digitsOfId
    // Pieces this short are copies: no id keeps the long text alive.
    return `${head}${counters[counter] as string}-${variants.get(digits[at] as string) as string}` +
      `${digits.slice(at + 1, at + 4)}-${digits.slice(at + 4, at + 16)}`
  }
}

/** The instant in milliseconds that a UUIDv7 carries. */
export function msOfUuidv7 (id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
}

function refill (): void {
  digits = randomBytes(digitsOfId * 256).toString('hex')
  used = 0
}
