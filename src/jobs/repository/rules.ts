import type { Db } from 'mongodb'
import type { Lane, Session } from '../../kernel/index.ts'

/** Replays the letters of a fingerprint that older code left, once all workers have this version. */
export interface RuleRow {
  _id: string
  /** Null: the letters of all workspaces. */
  workspaceId: string | null
  fingerprint: string
  fromVersion: string
  ratePerS: number
  lane: Lane
  by: string
  /** The replay that it started last. */
  runId?: string
}

export type RuleRepository = ReturnType<typeof createRuleRepository>

export function createRuleRepository (db: Db) {
  const rows = db.collection<RuleRow>('jobs.rules')
  return {
    async list (workspaceId: string | null): Promise<RuleRow[]> {
      return await rows.find({ workspaceId }).sort({ _id: 1 }).toArray()
    },

    /** Of all workspaces (P). */
    async all (): Promise<RuleRow[]> {
      return await rows.find().toArray()
    },

    async replace (session: Session, workspaceId: string | null, rules: readonly RuleRow[]): Promise<void> {
      await rows.deleteMany({ workspaceId }, { session })
      if (rules.length > 0) await rows.insertMany([...rules], { session })
    },

    /** Notes the replay of a rule; false where somebody else started one. */
    async started (session: Session, { _id, runId }: RuleRow, next: string): Promise<boolean> {
      const { matchedCount } = await rows.updateOne(
        { _id, runId: runId ?? { $exists: false } }, { $set: { runId: next } }, { session })
      return matchedCount === 1
    }
  }
}
