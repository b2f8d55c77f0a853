import { randomInt } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'

const leastMs = 50
const noiseMs = 10

/** Answers no earlier than 50 to 60 ms after the call, so that its time says nothing (`identity.md` 4.9). */
export async function atLeast<T> (work: () => Promise<T>): Promise<T> {
  const floor = wait(leastMs + randomInt(noiseMs + 1))
  try {
    return await work()
  } finally {
    await floor
  }
}
