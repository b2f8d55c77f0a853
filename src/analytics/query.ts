import type { Clock } from '../kernel/index.ts'
import { AnalyticsError } from './errors.ts'
import { partitionOf, tiers } from './keys.ts'
import type { AnalyticsRepository, Bucket, RawQuestion } from './repository.ts'
import type { Query, Table } from './schemas.ts'

const unitMs = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const longestMs = 400 * unitMs.d

/** Answers queries; whole quarters come from rollups, the rest and everything filtered or grouped from raw events. */
export function createQueries ({ analytics, clock }: { analytics: AnalyticsRepository, clock: Clock }) {
  return {
    /** Throws `query_invalid`, `query_too_large`, `query_timeout`. */
    async ask (workspaceId: string, query: Query): Promise<Table> {
      const question = toQuestion(workspaceId, query, clock.ms())
      const isRaw = question.where.length > 0 || question.groupBy.length > 0 || question.grain === 'minute'
      const [asOf, buckets] = await Promise.all([
        analytics.watermark(partitionOf(workspaceId)),
        isRaw ? analytics.countRaw(question) : countWhole(analytics, question)
      ]).catch(timeout)
      return toTable(question, buckets, { limit: query.limit ?? 1000, fill: query.fill, asOf, isRaw })
    },

    /** The count of one window, for alerts: raw, so that filters work without a declared metric. */
    async count (workspaceId: string, query: Query, toMs: number): Promise<number> {
      const buckets = await analytics.countRaw({ ...toQuestion(workspaceId, query, toMs), groupBy: [], grain: 'none' })
      return buckets.reduce((sum, { count }) => sum + count, 0)
    }
  }
}

function timeout (error: unknown): never {
  const isTooSlow = error instanceof Error && 'code' in error && error.code === 50
  if (isTooSlow) throw AnalyticsError.query_timeout({}, { cause: error })
  throw error
}

/** Reads a query for an instant. Throws `query_invalid`. */
export function toQuestion (workspaceId: string, query: Query, nowMs: number): RawQuestion {
  const [fromMs, toMs] = rangeOf(query, nowMs)
  if (!(fromMs < toMs)) throw AnalyticsError.query_invalid({}, { detail: 'The range ends before it begins.' })
  if (toMs - fromMs > longestMs) throw AnalyticsError.query_too_large({}, { detail: 'A range has at most 400 days.' })
  const zone = query.zone ?? 'UTC'
  if (!isZone(zone)) throw AnalyticsError.query_invalid({}, { detail: `There is no zone ${zone}.` })
  return {
    workspaceId,
    event: query.event,
    fromMs,
    toMs,
    where: query.where ?? [],
    groupBy: query.groupBy ?? [],
    grain: query.grain ?? 'none',
    zone
  }
}

function rangeOf ({ range }: Query, nowMs: number): [number, number] {
  if ('from' in range) return [Date.parse(range.from), Date.parse(range.to)]
  const unit = range.last.at(-1) as keyof typeof unitMs
  return [nowMs - Number.parseInt(range.last, 10) * unitMs[unit], nowMs]
}

function isZone (zone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }) !== undefined
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  }
}

async function countWhole (analytics: AnalyticsRepository, question: RawQuestion): Promise<Bucket[]> {
  const { ms } = tiers.quarter
  const fromMs = Math.ceil(question.fromMs / ms) * ms
  const toMs = Math.floor(question.toMs / ms) * ms
  if (fromMs >= toMs) return await analytics.countRaw(question)
  const parts = await Promise.all([
    analytics.countRollups({ ...question, fromMs, toMs }, 'quarter'),
    question.fromMs < fromMs ? analytics.countRaw({ ...question, toMs: fromMs }) : [],
    toMs < question.toMs ? analytics.countRaw({ ...question, fromMs: toMs }) : []
  ])
  return sumOf(parts.flat())
}

function sumOf (buckets: readonly Bucket[]): Bucket[] {
  const sums = new Map<string, Bucket>()
  for (const bucket of buckets) {
    const key = JSON.stringify([bucket.at, bucket.groups])
    const known = sums.get(key)
    if (known === undefined) sums.set(key, { ...bucket })
    else known.count += bucket.count
  }
  return [...sums.values()]
}

function toTable (
  { grain, groupBy, fromMs, toMs }: RawQuestion, buckets: readonly Bucket[],
  { limit, fill, asOf, isRaw }: { limit: number, fill: 'zero' | undefined, asOf: Date, isRaw: boolean }
): Table {
  const timed = grain !== 'none'
  const filled = fill === 'zero' ? withZeros(buckets, { grain, fromMs, toMs, isGrouped: groupBy.length > 0 }) : buckets
  const rows = filled
    .toSorted((a, b) => msOf(a) - msOf(b) || b.count - a.count || (String(a.groups) < String(b.groups) ? -1 : 1))
    .slice(0, limit)
    .map(({ at, groups, count }) => [...(timed ? [at?.toISOString() ?? null] : []), ...groups, count])
  return {
    columns: [...(timed ? [grain] : []), ...groupBy, 'count'],
    rows: rows.length === 0 && !timed && groupBy.length === 0 ? [[0]] : rows,
    asOf: asOf.toISOString(),
    source: isRaw ? 'raw' : 'rollup',
    approximations: []
  }
}

function msOf ({ at }: Bucket): number {
  return at?.getTime() ?? 0
}

const fixedMs = { minute: 60_000, quarter: 900_000, hour: 3_600_000 } as const

function withZeros (
  buckets: readonly Bucket[],
  { grain, fromMs, toMs, isGrouped }: { grain: string, fromMs: number, toMs: number, isGrouped: boolean }
): readonly Bucket[] {
  const step = fixedMs[grain as keyof typeof fixedMs]
  if (step === undefined || isGrouped || (toMs - fromMs) / step > 1000) return buckets
  const known = new Set(buckets.map(({ at }) => at?.getTime()))
  const zeros: Bucket[] = []
  for (let ms = Math.floor(fromMs / step) * step; ms < toMs; ms += step) {
    if (!known.has(ms)) zeros.push({ at: new Date(ms), groups: [], count: 0 })
  }
  return [...buckets, ...zeros]
}
