import type { RunRow } from './run.ts'

/** So many crashes, and the next start is solo: a process of its own works on this one run. */
const crashesBeforeSolo = 2
/** So many good solo starts in a row, and runs of a job that once killed its process share one again. */
const goodBeforeTrust = 3
/** So many lists may have been read before the letter of a death stood in the store. */
const listsWithout = 2

/** A run that killed the process that worked on it alone. */
export interface Poisoned { name: string, dataHash: string, failedAt: Date }

/** What is known of poison: its job is not trusted for a while, its content never (`jobs.md` 4.3, 4.4). */
export function createQuarantine () {
  let content = new Set<string>()
  let jobs = new Map<string, number>()
  const good = new Map<string, { sinceMs: number, count: number }>()
  /** Deaths that were told of, until a list has them. */
  let told: Array<Poisoned & { listsLeft: number }> = []

  function isTrusted (name: string, failedMs: number): boolean {
    const one = good.get(name)
    return one !== undefined && one.sinceMs >= failedMs && one.count >= goodBeforeTrust
  }

  return {
    set (poisoned: readonly Poisoned[]): void {
      content = new Set(poisoned.map(({ name, dataHash }) => `${name} ${dataHash}`))
      jobs = new Map()
      told = told.filter((one) => one.listsLeft-- > 0 && !content.has(`${one.name} ${one.dataHash}`))
      for (const { name, dataHash } of told) content.add(`${name} ${dataHash}`)
      for (const { name, failedAt } of [...poisoned, ...told]) {
        jobs.set(name, Math.max(jobs.get(name) ?? 0, failedAt.getTime()))
      }
    },
    add ({ name, dataHash, failedAt }: Poisoned): void {
      told.push({ name, dataHash, failedAt, listsLeft: listsWithout })
      content.add(`${name} ${dataHash}`)
      jobs.set(name, failedAt.getTime())
      good.delete(name)
    },
    /** A solo start of this job ended without a death. */
    survived (name: string, nowMs: number): void {
      const one = good.get(name)
      const failedMs = jobs.get(name)
      if (failedMs === undefined) return
      if (one === undefined || one.sinceMs < failedMs) good.set(name, { sinceMs: nowMs, count: 1 })
      else one.count++
    },
    needsSolo ({ name, dataHash, crashes }: Pick<RunRow, 'name' | 'dataHash' | 'crashes'>): boolean {
      if (crashes >= crashesBeforeSolo || content.has(`${name} ${dataHash}`)) return true
      const failedMs = jobs.get(name)
      return failedMs !== undefined && !isTrusted(name, failedMs)
    }
  }
}

export type Quarantine = ReturnType<typeof createQuarantine>
