import type { Candidate, Hold, HoldRepository, RelayRepository } from '../../src/jobs/index.ts'
import type { Clock } from '../../src/kernel/index.ts'

const probeMs = 30_000

/** Targets on hold: while an outside service is down its runs wait in the store and cost nothing (`jobs.md` 4.4). */
export function createTargets (
  { repository, runs, clock }: { repository: HoldRepository, runs: RelayRepository, clock: Clock }
) {
  const holds = new Map<string, { untilMs: number, isProbe: boolean }>()
  /** Targets whose hold is over, and the one run that goes first; the others are held, also those that are due. */
  const probes = new Map<string, { untilMs: number, runId?: string }>()

  async function free (target: string): Promise<void> {
    probes.delete(target)
    await runs.release('target', target)
  }

  return {
    /** These are on hold. */
    set (those: readonly Hold[]): void {
      for (const { target, untilMs, isProbe } of those) {
        if ((holds.get(target)?.untilMs ?? 0) < untilMs) probes.delete(target)
        holds.set(target, { untilMs, isProbe })
      }
    },

    /** Ends holds whose time has come. */
    async turn (): Promise<void> {
      const nowMs = clock.ms()
      for (const [target, { untilMs, isProbe }] of holds) {
        if (untilMs > nowMs) continue
        // From the one to the other in one step: what is neither on hold nor tried, others let go of.
        holds.delete(target)
        if (isProbe) probes.set(target, { untilMs: nowMs + probeMs })
        await repository.unhold(target, new Date(untilMs))
        if (!isProbe) await free(target)
        else {
          // Where nobody is held, whoever comes first.
          const runId = await runs.freeTarget(target)
          if (runId !== undefined) probes.set(target, { untilMs: nowMs + probeMs, runId })
        }
      }
      for (const [target, { untilMs }] of probes) if (untilMs <= nowMs) await free(target)
    },

    /** A run with this target ended well. */
    async succeeded (target: string): Promise<void> {
      if (probes.has(target)) await free(target)
    },

    /**
     * Lets go of what is held for a target that is neither on hold nor tried: the hold may have ended with another
     * keeper, which took what it knew of the probe with it.
     */
    async freeForgotten (): Promise<number> {
      return await runs.freeTargetsBut([...holds.keys(), ...probes.keys()])
    },

    mayGo ({ _id, target }: Candidate): boolean {
      if (target === undefined) return true
      if (holds.has(target)) return false
      const probe = probes.get(target)
      if (probe === undefined) return true
      probe.runId ??= _id
      return probe.runId === _id
    }
  }
}

export type Targets = ReturnType<typeof createTargets>
