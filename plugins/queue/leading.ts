import type { LeaseTurn } from '../../src/kernel/index.ts'

export type LeaseLoop = (turn: LeaseTurn) => Promise<void>

/** Loops of one lease: where one ends, the others end too, and the lease is asked for again. */
export function leadTogether (...loops: readonly LeaseLoop[]): LeaseLoop {
  return async ({ fence, signal }) => {
    const ended = new AbortController()
    const turn = { fence, signal: AbortSignal.any([signal, ended.signal]) }
    const results = await Promise.allSettled(loops.map(async (loop) => {
      await loop(turn).finally(() => { ended.abort() })
    }))
    const failed = results.find((result) => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }
}
