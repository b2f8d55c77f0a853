import { hash } from 'node:crypto'

const lanes = 8
const wrapAt = 2 ** 20

/** What documents add up to, in any order: count, bytes, and the sum of their sha-256 modulo 2^256. */
export interface Digest {
  add (document: Uint8Array): void
  readonly count: number
  readonly bytes: number
  /** 64 hexadecimal digits. */
  value (): string
}

export function createDigest (): Digest {
  // Numbers hold 2^53: a million sums of 32 bits each before a carry is due.
  const sums = new Float64Array(lanes)
  let count = 0
  let bytes = 0
  return {
    get count () { return count },
    get bytes () { return bytes },
    add (document) {
      const digest = hash('sha256', document, 'buffer')
      for (let lane = 0; lane < lanes; lane++) sums[lane] = (sums[lane] as number) + digest.readUInt32BE(lane * 4)
      count++
      bytes += document.length
      if (count % wrapAt === 0) carry(sums)
    },
    value () {
      carry(sums)
      return [...sums].map((lane) => lane.toString(16).padStart(8, '0')).join('')
    }
  }
}

/** The first lane is the highest; what passes its top is gone. */
function carry (sums: Float64Array): void {
  let over = 0
  for (let lane = sums.length - 1; lane >= 0; lane--) {
    const sum = (sums[lane] as number) + over
    over = Math.floor(sum / 2 ** 32)
    sums[lane] = sum - over * 2 ** 32
  }
}
