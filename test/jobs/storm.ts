// What must be true of schedules of one slot a second, whoever led when.
import type { Db } from 'mongodb'

interface Slot { scheduleId: string, slotAt: Date, runId: string | null, outcome: string }

interface Row { _id: string, createdAt: Date, lastSlotAt: Date }

/** Counts schedules, and slots that are missing, double, or without their run, since each was made. */
export async function checkStorm (db: Db, want: number) {
  const schedules = await db.collection<Row>('jobs.schedules').find().toArray()
  const slots = await db.collection<Slot>('jobs.slots').find().toArray()
  const runs = new Set((await db.collection<{ _id: string }>('jobs.runs').find(
    { 'cause.kind': 'schedule' }, { projection: { _id: 1 } }).toArray()).map(({ _id }) => _id))
  const bySchedule = Map.groupBy(slots, ({ scheduleId }) => scheduleId)
  let missing = 0
  let double = 0
  for (const { _id, createdAt, lastSlotAt } of schedules) {
    const times = (bySchedule.get(_id) ?? []).map(({ slotAt }) => slotAt.getTime())
    const there = new Set(times)
    double += times.length - there.size
    for (let ms = Math.floor(createdAt.getTime() / 1000 + 1) * 1000; ms <= lastSlotAt.getTime(); ms += 1000) {
      if (!there.has(ms)) missing++
    }
  }
  const fired = slots.filter(({ outcome }) => outcome === 'fire')
  return {
    schedules: schedules.length,
    undeclared: want - schedules.length,
    slots: slots.length,
    missing,
    double: double + Math.max(0, runs.size - fired.length),
    runsMissing: fired.filter(({ runId }) => !runs.has(runId ?? '')).length
  }
}
