import type { ClientSession, Db } from 'mongodb'
import { partitionOf } from '../keys.ts'
import type { Alert, AlertInstance, Query } from '../schemas.ts'

interface RuleRow {
  _id: string
  workspaceId: string
  partition: number
  isEnabled: boolean
  name: string
  /** As text: property names of a query may hold characters that a stored key must not. */
  query: string
  op: Alert['op']
  threshold: number
  forMs: number
  everyMs: number
  lagMs: number
  users: string[]
  createdBy: string
  version: number
  createdAt: Date
}
interface InstanceRow {
  _id: string
  workspaceId: string
  ruleId: string
  fingerprint: string
  state: AlertInstance['state']
  since: Date
  pendingSince: Date | null
  value: number | null
  lastTick: Date
  version: number
}

/** A rule as the evaluator needs it. */
export interface Rule extends Omit<Alert, 'instance' | 'createdAt'> { workspaceId: string, recipients: string[] }
export interface Instance {
  id: string
  state: AlertInstance['state']
  since: Date
  pendingSince: Date | null
  lastTick: Date
  version: number
}
/** What an instance becomes at a tick. */
export type InstanceChange = Omit<Instance, 'id' | 'version'> & { value: number }

export type AlertRepository = ReturnType<typeof createAlertRepository>

export function createAlertRepository (db: Db) {
  const rules = db.collection<RuleRow>('analytics.alerts')
  const instances = db.collection<InstanceRow>('analytics.alert_instances')
  return {
    async add (session: ClientSession, workspaceId: string, createdBy: string, alert: Alert): Promise<void> {
      const { id, name, query, op, threshold, forMs, everyMs, lagMs, notify, isEnabled, createdAt } = alert
      await rules.insertOne({
        _id: id,
        workspaceId,
        partition: partitionOf(workspaceId),
        isEnabled,
        name,
        query: JSON.stringify(query),
        op,
        threshold,
        forMs,
        everyMs,
        lagMs,
        users: notify.users,
        createdBy,
        version: 1,
        createdAt: new Date(createdAt)
      }, { session })
    },

    async find (workspaceId: string, id: string): Promise<Alert | undefined> {
      const [rule, instance] = await Promise.all([
        rules.findOne({ _id: id, workspaceId }), instances.findOne({ ruleId: id, workspaceId })
      ])
      return rule === null ? undefined : toAlert(rule, instance)
    },

    /** Newest first; one row more than `limit` tells that there is more. */
    async page (
      workspaceId: string, { before, limit }: { before: string | undefined, limit: number }
    ): Promise<Alert[]> {
      const rows = await rules.find(
        { workspaceId, ...(before === undefined ? {} : { _id: { $lt: before } }) },
        { sort: { _id: -1 }, limit: limit + 1 }).toArray()
      const known = await instances.find({ workspaceId, ruleId: { $in: rows.map(({ _id }) => _id) } }).toArray()
      const byRule = new Map(known.map((instance) => [instance.ruleId, instance]))
      return rows.map((rule) => toAlert(rule, byRule.get(rule._id) ?? null))
    },

    async count (workspaceId: string): Promise<number> {
      return await rules.countDocuments({ workspaceId }, { limit: 1001 })
    },

    async remove (session: ClientSession, workspaceId: string, id: string): Promise<void> {
      await rules.deleteOne({ _id: id, workspaceId }, { session })
      await instances.deleteMany({ ruleId: id, workspaceId }, { session })
    },

    async enabled (partition: number): Promise<Rule[]> {
      return (await rules.find({ partition, isEnabled: true }).toArray()).map(toRule)
    },

    async instance (ruleId: string): Promise<Instance | undefined> {
      const row = await instances.findOne({ ruleId, fingerprint: '' })
      if (row === null) return undefined
      const { _id, state, since, pendingSince, lastTick, version } = row
      return { id: _id, state, since, pendingSince, lastTick, version }
    },

    /** Makes the instance what it becomes; false when another evaluator was faster. */
    async move (
      session: ClientSession, rule: Rule, before: Instance | undefined, id: string, change: InstanceChange
    ): Promise<boolean> {
      const { workspaceId, id: ruleId } = rule
      if (before === undefined) {
        const { upsertedCount } = await instances.updateOne(
          { ruleId, fingerprint: '' },
          { $setOnInsert: { _id: id, workspaceId, version: 1, ...change } },
          { session, upsert: true })
        return upsertedCount === 1
      }
      const { matchedCount } = await instances.updateOne(
        { ruleId, fingerprint: '', version: before.version },
        { $set: change, $inc: { version: 1 } },
        { session })
      return matchedCount === 1
    }
  }
}

function toRule (row: RuleRow): Rule {
  const { _id, workspaceId, isEnabled, name, query, op, threshold, forMs, everyMs, lagMs, users, createdBy } = row
  return {
    id: _id,
    workspaceId,
    isEnabled,
    name,
    query: JSON.parse(query) as Query,
    op,
    threshold,
    forMs,
    everyMs,
    lagMs,
    notify: { users },
    recipients: users.length > 0 ? users : [createdBy]
  }
}

function toAlert (row: RuleRow, instance: InstanceRow | null): Alert {
  const { workspaceId: _workspace, recipients: _recipients, ...rule } = toRule(row)
  return {
    ...rule,
    instance: instance === null
      ? null
      : { id: instance._id, state: instance.state, since: instance.since.toISOString(), value: instance.value },
    createdAt: row.createdAt.toISOString()
  }
}
