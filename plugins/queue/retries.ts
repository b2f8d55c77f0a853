import { createRetryBudget, type Candidate, type RelayRepository, type RetryBudget } from '../../src/jobs/index.ts'
import { queues, type Clock, type Queue } from '../../src/kernel/index.ts'

interface Parts { runs: RelayRepository, concurrencyOf: (queue: string) => number, clock: Clock }

/** What retries of each queue may take of its starts, and who waits for it (`jobs.md` 4.4). */
export function createRetries ({ runs, concurrencyOf, clock }: Parts) {
  const budgets = new Map<string, RetryBudget>()
  /** Queues in which retries wait for the budget, as far as this keeper knows. */
  const withHeld = new Set<Queue>(queues)

  function budgetOf (queue: string): RetryBudget {
    let budget = budgets.get(queue)
    if (budget === undefined) budgets.set(queue, budget = createRetryBudget())
    return budget
  }

  return {
    /** Says of the runs of a pass, one after the other, who may go. */
    budgeted (nowMs: number): (run: Candidate) => boolean {
      const left = new Map<string, number>()
      return ({ queue, attempt }) => {
        if (attempt === 0) return true
        const mine = left.get(queue) ?? budgetOf(queue).left(nowMs)
        left.set(queue, mine - 1)
        if (mine <= 0) withHeld.add(queue)
        return mine > 0
      }
    },

    /** These were released. */
    note (queue: string, sent: readonly Candidate[]): void {
      budgetOf(queue).note(clock.ms(), sent.length, sent.filter(({ attempt }) => attempt > 0).length)
    },

    left: (queue: string): number => budgetOf(queue).left(clock.ms()),

    /** Somebody else may have held retries. */
    doubt (): void {
      for (const queue of queues) withHeld.add(queue)
    },

    /** Lets go of as many retries as may go now. */
    async free (): Promise<void> {
      for (const queue of withHeld) {
        const left = budgetOf(queue).left(clock.ms())
        if (left === 0 || concurrencyOf(queue) === 0) continue
        if (await runs.freeSome(queue, 'retry_budget', left) === 0) withHeld.delete(queue)
      }
    }
  }
}

export type Retries = ReturnType<typeof createRetries>
