/**
 * Something that looks at the time by itself; answers after how many milliseconds it wants to be asked again, 0 =
 * never.
 */
export interface Timed { onTime (nowMs: number): number }

export type Wheel = ReturnType<typeof createWheel>

/** One timer for all sockets of a process; `now` is the monotonic time of the last turn. */
export function createWheel (turnMs = 250) {
  const slots = Array.from({ length: 512 }, () => new Map<Timed, number>())
  const placed = new Map<Timed, Map<Timed, number>>()
  let turn = 0
  let now = performance.now()

  function add (timed: Timed, afterMs: number): void {
    placed.get(timed)?.delete(timed)
    const turns = Math.max(1, Math.ceil(afterMs / turnMs))
    const slot = slots[(turn + turns) % slots.length] as Map<Timed, number>
    slot.set(timed, Math.floor((turns - 1) / slots.length))
    placed.set(timed, slot)
  }

  function remove (timed: Timed): void {
    placed.get(timed)?.delete(timed)
    placed.delete(timed)
  }

  function onTurn (): void {
    now = performance.now()
    turn++
    const slot = slots[turn % slots.length] as Map<Timed, number>
    for (const [timed, rounds] of slot) {
      if (rounds > 0) {
        slot.set(timed, rounds - 1)
        continue
      }
      remove(timed)
      const next = timed.onTime(now)
      if (next > 0) add(timed, next)
    }
  }

  const timer = setInterval(onTurn, turnMs)
  return { add, remove, now: () => now, stop: () => { clearInterval(timer) } }
}
