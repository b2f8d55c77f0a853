import { setTimeout as sleep } from 'node:timers/promises'
import type { ClaimRepository, StartKey } from '../../src/jobs/index.ts'

const tries = 6

/**
 * Writes under the guard of a start; false where another start has the run. A claim does not wait for the majority, so
 * the snapshot of a transaction right after it may be older and match nothing: that is written again.
 */
export async function writeGuarded (
  claims: Pick<ClaimRepository, 'holds'>, key: StartKey, write: () => Promise<boolean>
): Promise<boolean> {
  for (let nth = 1; ; nth++) {
    if (await write()) return true
    if (nth === tries || !await claims.holds(key)) return false
    await sleep(10 * 2 ** nth)
  }
}
