/**
 * Gathers items while `few` or more are on their way; else they leave at once, and there is no timer. What arrives in
 * the same turn of the event loop leaves together, `most` at a time.
 */
export function createBatcher<T, R> (
  { most, few = 1 }: { most: number, few?: number }, run: (items: readonly T[]) => Promise<readonly R[]>
): (item: T) => Promise<R> {
  const waiting: Array<{ item: T, resolve: (answer: R) => void, reject: (error: unknown) => void }> = []
  let underWay = 0
  let isAboutToLeave = false

  function leave (): void {
    isAboutToLeave = false
    while (waiting.length > 0 && underWay < few) void send(waiting.splice(0, most))
  }

  async function send (batch: typeof waiting): Promise<void> {
    underWay += batch.length
    try {
      const answers = await run(batch.map(({ item }) => item))
      batch.forEach(({ resolve }, i) => { resolve(answers[i] as R) })
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
    underWay -= batch.length
    leave()
  }

  return async (item) => await new Promise<R>((resolve, reject) => {
    waiting.push({ item, resolve, reject })
    if (isAboutToLeave || underWay >= few) return
    isAboutToLeave = true
    setImmediate(leave)
  })
}
