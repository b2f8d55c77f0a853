import { hash } from 'node:crypto'
import { msOfUuidv7 } from '../kernel/index.ts'

export const tiers = { minute: { code: 1, ms: 60_000 }, quarter: { code: 2, ms: 900_000 } } as const
export type Tier = keyof typeof tiers

/** Partitions of ingest; batches of a workspace always go to one, so one fold sees them in order. */
export const partitionCount = 4

export function partitionOf (workspaceId: string): number {
  return hash('sha256', workspaceId, 'buffer').readUInt32BE(0) % partitionCount
}

/** 32 bytes that are dedupe key, tenant and time range in one: workspace, then the event id (UUIDv7). */
export function eventKey (workspaceId: string, id: string): Buffer {
  return Buffer.concat([uuidBytes(workspaceId), uuidBytes(id)])
}

/** The same for an event known by the id of its source: 6 bytes of milliseconds, 10 of the SHA-256 of that id. */
export function sourceKey (workspaceId: string, sourceId: string, atMs: number): Buffer {
  return Buffer.concat([uuidBytes(workspaceId), msBytes(atMs), hash('sha256', sourceId, 'buffer').subarray(0, 10)])
}

/** The least key of a workspace at an instant; two of them bound a range of time. */
export function keyAt (workspaceId: string, ms: number): Buffer {
  return Buffer.concat([uuidBytes(workspaceId), msBytes(ms), Buffer.alloc(10)])
}

export function msOfEventId (id: string): number {
  return msOfUuidv7(id)
}

/** Key of a rollup row: workspace 16, metric 4, tier 1, set 1, bucket 4, dimension hash 8; set 0 counts by name. */
export function rollupKey (workspaceId: string, name: string, tier: Tier, bucketMs: number): Buffer {
  const digest = hash('sha256', name, 'buffer')
  const middle = Buffer.alloc(6)
  middle.writeUInt8(tiers[tier].code, 0)
  middle.writeUInt32BE(Math.floor(bucketMs / tiers[tier].ms), 2)
  return Buffer.concat([uuidBytes(workspaceId), digest.subarray(0, 4), middle, digest.subarray(4, 12)])
}

/** Bounds of the rows of one name and tier from one bucket to another, the second left out. */
export function rollupRange (workspaceId: string, name: string, tier: Tier, fromMs: number, toMs: number) {
  // Bounds are as long as the keys: BSON orders binaries by length before it looks at a byte.
  const least = (ms: number): Buffer => rollupKey(workspaceId, name, tier, ms).fill(0, 26)
  return { from: least(fromMs), to: least(toMs) }
}

function uuidBytes (id: string): Buffer {
  return Buffer.from(id.replaceAll('-', ''), 'hex')
}

function msBytes (ms: number): Buffer {
  const bytes = Buffer.alloc(6)
  bytes.writeUIntBE(Math.max(0, ms), 0, 6)
  return bytes
}
