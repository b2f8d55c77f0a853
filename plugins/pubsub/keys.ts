import { randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'

/** Part of every key of the channel, so that one script finds them on one node of a cluster. */
export function partitionOf (channel: string): number {
  return crc32(channel) % 128
}

/** Keys of a channel (`realtime.md` 3.9), without the installation's prefix. */
export function keysOf (channel: string) {
  const tail = `{${partitionOf(channel)}}:${channel}`
  return {
    history: `live:h:${tail}`,
    meta: `live:m:${tail}`,
    state: `live:k:${tail}`,
    expiries: `live:z:${tail}`,
    wire: `live:${tail}`,
    seen: (mid: string) => `live:i:${tail}:${mid}`
  }
}

export const busKey = 'live:bus'

export function newEpoch (): string {
  return randomBytes(6).toString('base64url')
}
