export interface Keepable { id: string, startedAt: Date, state: 'written' | 'proven' | 'failed' }

const rules = [
  { most: 7, slotOf: (at: Date) => at.toISOString().slice(0, 10) },
  { most: 4, slotOf: weekOf },
  { most: 6, slotOf: (at: Date) => at.toISOString().slice(0, 7) }
] as const

const dayMs = 86_400_000

/** The Monday of the week, UTC. */
function weekOf (at: Date): string {
  const sinceMonday = (at.getUTCDay() + 6) % 7
  return new Date(at.getTime() - sinceMonday * dayMs).toISOString().slice(0, 10)
}

/**
 * Backups that stay: the newest of each of the last 7 days, 4 weeks and 6 months that have one, the newest of all,
 * and the last proven one whatever its age. Failed ones fill no place.
 */
export function keptOf (backups: readonly Keepable[]): Set<string> {
  const good = backups.filter(({ state }) => state !== 'failed')
    .toSorted((a, b) => b.startedAt.getTime() - a.startedAt.getTime())
  const kept = new Set<string>()
  for (const { most, slotOf } of rules) {
    const slots = new Map<string, string>()
    for (const { id, startedAt } of good) {
      const slot = slotOf(startedAt)
      if (!slots.has(slot) && slots.size < most) slots.set(slot, id)
    }
    for (const id of slots.values()) kept.add(id)
  }
  const proven = good.find(({ state }) => state === 'proven')
  if (proven !== undefined) kept.add(proven.id)
  return kept
}
