import { Binary, type ClientSession, type Db, type Document } from 'mongodb'
import { newBatchId, partsOf, type KeptEvent, type Part } from './collector.ts'
import { keyAt, rollupRange, type Tier } from './keys.ts'
import type { Filter, Grain } from './schemas.ts'

interface EventRow {
  _id: Binary
  n: string
  w: string
  t: Date
  a?: string
  s?: string
  p: Record<string, string | number | boolean>
  bt: string
}
interface PartRow { k: Binary, w: string, n: string, t: Tier, b: Date, c: number }
interface BatchRow { _id: string, partition: number, state: 'ready', n: number, parts: PartRow[], at: Date }
interface PartitionRow { _id: number, fence: number, watermark: Date, seq: number }
interface RollupRow { _id: Binary, w: string, n: string, t: Tier, b: Date, c: number, v: number, expireAt?: Date }
interface NameRow { _id: string, workspaceId: string, name: string, count: number, lastAt: Date }

/** One batch as the fold reads it. */
export interface Batch { id: string, parts: Part[], at: Date }
export interface Bucket { at: Date | null, groups: Array<string | number | boolean | null>, count: number }
export interface RawQuestion {
  workspaceId: string
  event: string
  fromMs: number
  toMs: number
  where: readonly Filter[]
  groupBy: readonly string[]
  grain: Grain
  zone: string
}

const minuteTierMs = 48 * 3_600_000

export type AnalyticsRepository = ReturnType<typeof createAnalyticsRepository>

export function createAnalyticsRepository (db: Db) {
  const events = db.collection<EventRow>('analytics.events')
  const batches = db.collection<BatchRow>('analytics.batches')
  const rollups = db.collection<RollupRow>('analytics.rollups')
  const names = db.collection<NameRow>('analytics.names')
  return {
    ...partitionStore(db),

    /** Keeps what is not kept yet, with what it adds to the rollups, in one batch; answers the keys that were new. */
    async keep (session: ClientSession, partition: number, kept: readonly KeptEvent[], at: Date): Promise<KeptEvent[]> {
      const stored = await storedKeys(db, session, kept.map(({ key }) => new Binary(key)))
      const fresh = kept.filter(({ key }) => !stored.has(key.toString('base64')))
      if (fresh.length === 0) return []
      const batchId = newBatchId()
      await events.insertMany(fresh.map((event) => toEventRow(event, batchId)), { session })
      const parts = partsOf(fresh).map(toPartRow)
      await batches.insertOne(
        { _id: batchId, partition, state: 'ready', n: fresh.length, parts, at }, { session })
      return fresh
    },

    async readyBatches (partition: number, limit: number): Promise<Batch[]> {
      const rows = await batches.find({ partition, state: 'ready' }, { sort: { _id: 1 }, limit }).toArray()
      return rows.map(({ _id, parts, at }) => ({ id: _id, parts: parts.map(toPart), at }))
    },

    /** Adds the parts and removes their batches; throws when another fold already had one of them. */
    async fold (session: ClientSession, batchIds: readonly string[], parts: readonly Part[], now: Date): Promise<void> {
      await rollups.bulkWrite(parts.map(({ key, workspaceId, name, tier, bucketMs, count }) => ({
        updateOne: {
          filter: { _id: new Binary(key) },
          update: {
            $inc: { c: count, v: 1 },
            $setOnInsert: {
              w: workspaceId,
              n: name,
              t: tier,
              b: new Date(bucketMs),
              ...(tier === 'minute' ? { expireAt: new Date(bucketMs + minuteTierMs) } : {})
            }
          },
          upsert: true
        }
      })), { session, ordered: false })
      await names.bulkWrite(parts.filter(({ tier }) => tier === 'quarter').map(({ workspaceId, name, count }) => ({
        updateOne: {
          filter: { _id: `${workspaceId}|${name}` },
          update: { $inc: { count }, $max: { lastAt: now }, $setOnInsert: { workspaceId, name } },
          upsert: true
        }
      })), { session })
      const { deletedCount } = await batches.deleteMany({ _id: { $in: [...batchIds] } }, { session })
      if (deletedCount !== batchIds.length) throw new Error('another fold took one of these batches')
    },

    /** Sums of rollup rows per bucket of the grain; bounds are whole buckets of the tier. */
    async countRollups (question: RawQuestion, tier: Tier): Promise<Bucket[]> {
      const { workspaceId, event, fromMs, toMs, grain, zone } = question
      const { from, to } = rollupRange(workspaceId, event, tier, fromMs, toMs)
      const rows = await rollups.aggregate<{ _id: Date | null, c: number }>([
        { $match: { _id: { $gte: new Binary(from), $lt: new Binary(to) }, n: event } },
        { $group: { _id: truncated('$b', grain, zone), c: { $sum: '$c' } } }
      ], { maxTimeMS: 10_000 }).toArray()
      return rows.map(({ _id, c }) => ({ at: _id, groups: [], count: c }))
    },

    /** Counts of raw events per bucket and group; property names and values never become operators. */
    async countRaw (question: RawQuestion): Promise<Bucket[]> {
      const { workspaceId, event, fromMs, toMs, where, groupBy, grain, zone } = question
      const rows = await events.aggregate<{ _id: { at: Date | null, g: Bucket['groups'] }, c: number }>([
        {
          $match: {
            _id: { $gte: new Binary(keyAt(workspaceId, fromMs)), $lt: new Binary(keyAt(workspaceId, toMs)) },
            n: event,
            $and: [{}, ...where.map(condition)]
          }
        },
        {
          $group: {
            _id: { at: truncated('$t', grain, zone), g: groupBy.map((prop) => ({ $ifNull: [`$p.${prop}`, null] })) },
            c: { $sum: 1 }
          }
        },
        { $limit: 50_000 }
      ], { maxTimeMS: 10_000, allowDiskUse: false }).toArray()
      return rows.map(({ _id, c }) => ({ at: _id.at, groups: _id.g, count: c }))
    },

    /** Names that were counted since then, of all workspaces (P: the fold of a partition starts with them). */
    async countedSince (since: Date): Promise<Array<{ workspaceId: string, name: string }>> {
      return await names.find(
        { lastAt: { $gte: since } }, { projection: { _id: 0, workspaceId: 1, name: 1 }, limit: 10_000 }).toArray()
    },

    async names (workspaceId: string): Promise<Array<{ name: string, count: number, lastAt: Date }>> {
      const projection = { _id: 0, workspaceId: 0 }
      return await names.find({ workspaceId }, { sort: { name: 1 }, limit: 500, projection }).toArray()
    }
  }
}

/**
 * Those of the keys that are stored, in base64: one point read each, in one round trip. `$in` on the key of a clustered
 * collection has no bounds and reads every event there is.
 */
async function storedKeys (db: Db, session: ClientSession, keys: readonly Binary[]): Promise<Set<string>> {
  const known = await db.aggregate<{ _id: Binary }>([
    { $documents: keys.map((_id) => ({ _id })) },
    { $lookup: { from: 'analytics.events', localField: '_id', foreignField: '_id', as: 'stored' } },
    { $match: { 'stored.0': { $exists: true } } },
    { $project: { _id: 1 } }
  ], { session }).toArray()
  return new Set(known.map(({ _id }) => _id.toString('base64')))
}

function partitionStore (db: Db) {
  const partitions = db.collection<PartitionRow>('analytics.partitions')
  return {
    /** Raises the fence of a partition; false where a later holder already did. */
    async enterPartition (partition: number, fence: number): Promise<boolean> {
      const row = await partitions.findOneAndUpdate(
        { _id: partition },
        { $max: { fence }, $setOnInsert: { watermark: new Date(0), seq: 0 } },
        { upsert: true, returnDocument: 'after' })
      return row?.fence === fence
    },

    /** Binds a fold to its fence; false where a later holder has the partition. */
    async holdPartition (session: ClientSession, partition: number, fence: number): Promise<boolean> {
      const { matchedCount } = await partitions.updateOne({ _id: partition, fence }, { $inc: { seq: 1 } }, { session })
      return matchedCount === 1
    },

    async moveWatermark (partition: number, fence: number, watermark: Date): Promise<void> {
      await partitions.updateOne({ _id: partition, fence }, { $max: { watermark } })
    },

    /** Everything that was kept before this instant is counted; the epoch where nothing was folded yet. */
    async watermark (partition: number): Promise<Date> {
      const row = await partitions.findOne({ _id: partition })
      return row?.watermark ?? new Date(0)
    }
  }
}

function toEventRow (event: KeptEvent, bt: string): EventRow {
  return {
    _id: new Binary(event.key),
    n: event.name,
    w: event.workspaceId,
    t: new Date(event.atMs),
    p: event.props,
    bt,
    ...(event.actor === undefined ? {} : { a: event.actor }),
    ...(event.session === undefined ? {} : { s: event.session })
  }
}

function toPartRow ({ key, workspaceId, name, tier, bucketMs, count }: Part): PartRow {
  return { k: new Binary(key), w: workspaceId, n: name, t: tier, b: new Date(bucketMs), c: count }
}

function toPart ({ k, w, n, t, b, c }: PartRow): Part {
  return { key: Buffer.from(k.buffer), workspaceId: w, name: n, tier: t, bucketMs: b.getTime(), count: c }
}

function truncated (field: string, grain: Grain, timezone: string): Document | null {
  if (grain === 'none') return null
  if (grain === 'quarter') return { $dateTrunc: { date: field, unit: 'minute', binSize: 15, timezone } }
  return { $dateTrunc: { date: field, unit: grain, timezone, ...(grain === 'week' ? { startOfWeek: 'monday' } : {}) } }
}

function condition ({ prop, op, value }: Filter): Document {
  const field = `p.${prop}`
  if (op === 'prefix') {
    return { [field]: { $regex: `^${String(value).replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}` } }
  }
  if (op === 'exists') return { [field]: { $exists: value === true } }
  if (op === 'in') return { [field]: { $in: Array.isArray(value) ? value : [value] } }
  return { [field]: { [`$${op}`]: value } }
}
