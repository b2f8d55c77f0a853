import type { Handlers, ListState, LiveProblem, Position, Pub } from './types.ts'

/** The answer to a subscription. */
export interface Answer {
  sid: number
  e: string
  o: number
  m?: string
  was: boolean
  rec: boolean
  n: number
  full?: boolean
}

export interface Follow {
  readonly channel: string
  position: Position | undefined
  /** Publications of the replay that are still to come. */
  missing: number
  isJoined: boolean
  onAnswer (answer: Answer): void
  onPub (pub: Pub): void
  onLive (o: number): void
  end (problem: LiveProblem): void
}

interface FollowOptions {
  retry: (work: () => void) => void
  changed: () => void
  onError: (error: unknown) => void
}

/** Keeps one channel in order: once each, nothing between the state and the first publication. */
export function createFollow (channel: string, handlers: Handlers, { retry, changed, onError }: FollowOptions): Follow {
  /** Publications that wait for the state; null while they pass. */
  let held: Pub[] | null = null
  let loads = 0
  /** The number up to which the server answered, with its proof. */
  let top: Position = { e: '', o: 0 }

  function tell<A extends unknown[]> (handler: ((...args: A) => void) | undefined, ...args: A): void {
    try {
      handler?.(...args)
    } catch (error) {
      onError(error)
    }
  }

  function pass (pub: Pub): void {
    if (follow.position !== undefined && pub.o <= follow.position.o) return
    follow.position = { e: follow.position?.e ?? '', o: pub.o, ...(pub.mid === undefined ? {} : { m: pub.mid }) }
    tell(handlers.onPub, pub)
  }

  /** The subscription runs already, so whatever the state does not hold yet is among the held ones. */
  async function load (answer: Answer): Promise<void> {
    const own = ++loads
    held ??= []
    const state = await handlers.getState?.().catch(onError)
    if (own !== loads) return
    if (state === undefined || !fits(state, answer)) retry(() => { if (own === loads) void load(answer) })
    else show(state, answer)
  }

  function show (state: ListState, { e }: Answer): void {
    if (state.position !== undefined) {
      const { offset, mid } = state.position
      follow.position = { e, o: offset, ...(mid === null ? {} : { m: mid }) }
    }
    tell(handlers.onReset)
    tell(handlers.onState, state)
    const waiting = held ?? []
    held = null
    for (const pub of waiting) pass(pub)
    current()
  }

  function current (): void {
    if (follow.missing > 0 || held !== null) return
    tell(handlers.onCurrent)
    changed()
  }

  const follow: Follow = {
    channel,
    position: undefined,
    missing: 0,
    isJoined: false,
    onAnswer (answer) {
      follow.isJoined = true
      follow.missing = answer.n
      top = { e: answer.e, o: answer.o, ...(answer.m === undefined ? {} : { m: answer.m }) }
      const isContinued = answer.was && answer.rec && follow.position?.e === answer.e
      if (!isContinued) {
        follow.position = answer.n === 0 ? top : { e: answer.e, o: startOf(answer) }
        loads++
        held = null
        if (handlers.getState !== undefined) void load(answer)
        else if (answer.was || answer.full === true) tell(handlers.onReset)
      }
      changed()
    },
    onPub (pub) {
      if (follow.missing > 0) follow.missing--
      if (held === null) pass(pub)
      else held.push(pub)
    },
    onLive (o) {
      follow.missing = 0
      if (held === null && follow.position !== undefined && o > follow.position.o) {
        follow.position = o === top.o ? top : { e: follow.position.e, o }
      }
      current()
    },
    end (problem) {
      follow.isJoined = false
      follow.missing = 0
      tell(handlers.onEnd, problem)
      changed()
    }
  }
  return follow
}

/** Whether the state was read after the subscription began; a position of another story says it was not. */
function fits ({ position }: ListState, answer: Answer): boolean {
  return position === undefined || (position.epoch === answer.e && position.offset >= startOf(answer))
}

/** The number before the first publication of the replay; a whole state begins at 0. */
function startOf (answer: Answer): number {
  if (answer.full === true) return 0
  return answer.n === 0 ? answer.o : Math.max(0, answer.o - answer.n)
}
