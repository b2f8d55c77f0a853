import { BSON, type Db, type Document, type Filter } from 'mongodb'
import type { RetentionDefinition, Session } from '../../kernel/index.ts'

/** A document of `jobs.clearings` (P): where a run stands, rule by rule. */
export interface ClearingRow {
  _id: string
  at: Date
  rules: Record<string, { count: number, after: unknown, isOver: boolean }>
}

export interface RulePage { ids: unknown[], isLast: boolean }

export type ClearingRepository = ReturnType<typeof createClearingRepository>

/** Old rows of any collection that declared how long it keeps them (P). */
export function createClearingRepository (db: Db) {
  const clearings = db.collection<ClearingRow>('jobs.clearings')

  function oldRows ({ where, age, holdField }: RetentionDefinition, before: Date): Filter<Document> {
    return { ...where, [age.field]: { $lt: before }, [holdField]: { $exists: false } }
  }

  return {
    async find (runId: string): Promise<ClearingRow | undefined> {
      return await clearings.findOne({ _id: runId }) ?? undefined
    },

    async begin (runId: string, at: Date): Promise<void> {
      await clearings.updateOne({ _id: runId }, { $setOnInsert: { at, rules: {} } }, { upsert: true })
    },

    async count (rule: RetentionDefinition, before: Date): Promise<number> {
      return await db.collection(rule.collection).countDocuments(oldRows(rule, before))
    },

    /** Ids of the next old rows in their order. */
    async page (rule: RetentionDefinition, before: Date, after: unknown): Promise<RulePage> {
      const filter = {
        ...oldRows(rule, before), ...(after === null ? {} : { _id: { $gt: after } })
      }
      const found = await db.collection(rule.collection).find(filter as Document, { projection: { _id: 1 } })
        .sort({ _id: 1 }).limit(rule.batch).toArray()
      return { ids: found.map(({ _id }) => _id), isLast: found.length < rule.batch }
    },

    /** Whole rows of a page as lines of extended JSON, in the transaction that removes them. */
    async lines (
      session: Session, rule: RetentionDefinition, before: Date, ids: readonly unknown[]
    ): Promise<string[]> {
      const found = await db.collection(rule.collection)
        .find({ ...oldRows(rule, before), _id: { $in: [...ids] } } as Document, { session, promoteValues: false })
        .sort({ _id: 1 }).toArray()
      return found.map((row) => BSON.EJSON.stringify(row as Document, { relaxed: false }))
    },

    /** Removes rows of a page that are still old, and notes how far the run got; how many there were. */
    async remove (
      session: Session, runId: string, rule: RetentionDefinition,
      { before, ids, isLast }: RulePage & { before: Date }
    ): Promise<number> {
      const { deletedCount } = await db.collection(rule.collection)
        .deleteMany({ ...oldRows(rule, before), _id: { $in: [...ids] } } as Document, { session })
      const place = `rules.${rule.name.replaceAll('.', '/')}`
      await clearings.updateOne({ _id: runId }, {
        $inc: { [`${place}.count`]: deletedCount },
        $set: { [`${place}.isOver`]: isLast, ...(ids.length === 0 ? {} : { [`${place}.after`]: ids.at(-1) }) }
      }, { session })
      return deletedCount
    }
  }
}

/** Where a run stands with a rule. */
export function placeOf (
  row: ClearingRow | undefined, rule: string
): { count: number, after: unknown, isOver: boolean } {
  const place = row?.rules[rule.replaceAll('.', '/')]
  return { count: place?.count ?? 0, after: place?.after ?? null, isOver: place?.isOver ?? false }
}
