// The loop of a keeper by itself: it has no stores, and its relay and its rounds are the test's.
import { setTimeout as sleep } from 'node:timers/promises'
import { createKeeper } from '../../plugins/queue/keeper.ts'

type Parts = Parameters<typeof createKeeper>[0]

const nothing = async (): Promise<void> => undefined

export const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
export const wall = { now: () => new Date(), ms: () => Date.now() }

interface LoneKeeperOptions {
  relay: Partial<Record<keyof Parts['relay'], unknown>>
  /** Whether a round is under way, always. */
  isUnderWay?: boolean
}

export function loneKeeper ({ relay, isUnderWay = false }: LoneKeeperOptions) {
  let tell: (isWell: boolean) => void = () => undefined
  const keeper = createKeeper({
    relay: { ended: () => [], isNewcomer: () => false, added: nothing, figures: () => [], ...relay },
    rounds: {
      first: nothing,
      isUnderWay: () => isUnderWay,
      async go ({ signal }: { signal: AbortSignal }, onRound: (isWell: boolean) => void) {
        tell = onRound
        await sleep(60_000, undefined, { signal }).catch(() => undefined)
      }
    },
    contest: { queuesOf: () => [] },
    recovery: { checkEpoch: nothing },
    retries: { free: nothing },
    targets: { set: nothing, turn: nothing, succeeded: nothing },
    pauses: { set: nothing },
    holds: { read: async () => ({ holds: [], pauses: [] }) },
    runs: { upcoming: async () => [] },
    clock: wall,
    log: quiet
  } as unknown as Parts)
  const end = new AbortController()
  return {
    keeper,
    /** A round is over. */
    tell: (isWell: boolean): void => { tell(isWell) },
    /** Leads until `end`. */
    leading: keeper.lead({ fence: 1, signal: end.signal }),
    end: (): void => { end.abort() }
  }
}
