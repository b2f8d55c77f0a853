/** Gathers items while one batch is on its way; a batch leaves at once when none is, and there is no timer. */
export function createBatcher<T, R> (
  most: number, run: (items: readonly T[]) => Promise<readonly R[]>
): (item: T) => Promise<R> {
  const waiting: Array<{ item: T, resolve: (answer: R) => void, reject: (error: unknown) => void }> = []
  let isRunning = false

  async function pump (): Promise<void> {
    isRunning = true
    while (waiting.length > 0) {
      const batch = waiting.splice(0, most)
      try {
        const answers = await run(batch.map(({ item }) => item))
        batch.forEach(({ resolve }, i) => { resolve(answers[i] as R) })
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    isRunning = false
  }

  return async (item) => await new Promise<R>((resolve, reject) => {
    waiting.push({ item, resolve, reject })
    // What arrives in the same turn of the event loop leaves together.
    if (!isRunning) {
      isRunning = true
      setImmediate(() => { void pump() })
    }
  })
}
