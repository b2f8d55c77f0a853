/**
 * Gathers items while `few` or more are on their way; else they leave at once. What arrives in the same turn of the
 * event loop leaves together, `most` at a time. Patient items wait for company besides: until `few` are there, one
 * comes that is not patient, or the last departure is `apartMs` ago.
 */
export function createBatcher<T, R> (
  { most, few = 1, apartMs = 0 }: { most: number, few?: number, apartMs?: number },
  run: (items: readonly T[]) => Promise<readonly R[]>
): (item: T, isPatient?: boolean) => Promise<R> {
  const waiting: Array<{ item: T, resolve: (answer: R) => void, reject: (error: unknown) => void }> = []
  let underWay = 0
  let isAboutToLeave = false
  let leftMs = -Infinity
  /** Runs while all who wait are patient. */
  let patience: NodeJS.Timeout | undefined

  function leave (): void {
    isAboutToLeave = false
    clearTimeout(patience)
    patience = undefined
    while (waiting.length > 0 && underWay < few) void send(waiting.splice(0, most))
  }

  function leaveSoon (isPatient: boolean): void {
    if (isAboutToLeave || underWay >= few) return
    const earlyMs = isPatient && waiting.length < few ? apartMs - (performance.now() - leftMs) : 0
    if (earlyMs > 0) {
      patience ??= setTimeout(leave, earlyMs)
      return
    }
    isAboutToLeave = true
    setImmediate(leave)
  }

  async function send (batch: typeof waiting): Promise<void> {
    underWay += batch.length
    leftMs = performance.now()
    try {
      const answers = await run(batch.map(({ item }) => item))
      batch.forEach(({ resolve }, i) => { resolve(answers[i] as R) })
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
    underWay -= batch.length
    if (patience === undefined) leave()
  }

  return async (item, isPatient = false) => await new Promise<R>((resolve, reject) => {
    waiting.push({ item, resolve, reject })
    leaveSoon(isPatient)
  })
}
