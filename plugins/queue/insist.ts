import { setTimeout as sleep } from 'node:timers/promises'
import type { ClaimRepository, StartKey } from '../../src/jobs/index.ts'

const tries = 6

/**
 * Writes under the guard of a start; again where that matched nothing although the start has its run. Answers why it
 * gave up, or `done`.
 */
export async function insistOnHeld (
  claims: Pick<ClaimRepository, 'standing'>, key: StartKey, write: () => Promise<boolean>
): Promise<'done' | 'held' | 'cancelled' | 'gone'> {
  for (let nth = 1; ; nth++) {
    if (await write()) return 'done'
    const standing = await claims.standing(key)
    if (standing !== 'held' || nth === tries) return standing
    await sleep(10 * 2 ** nth)
  }
}
