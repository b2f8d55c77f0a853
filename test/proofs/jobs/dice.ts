export interface Dice {
  whole (from: number, to: number): number
  one<T> (list: readonly T[]): T
}

/** The same throws for the same seed (a Lehmer generator). */
export function dice (seed: number): Dice {
  let state = seed
  const whole = (from: number, to: number): number => {
    state = (state * 48_271) % 2_147_483_647
    return from + Math.floor(state / 2_147_483_647 * (to - from + 1))
  }
  return { whole, one: (list) => list[whole(0, list.length - 1)] as never }
}
