interface Waiting { at: number, fire: () => void }

const stepMs = 25

/**
 * Deadlines of the requests in flight, looked through every 25 ms while there are any: most requests end long before,
 * and a timer of each would cost more than all the rest of their context.
 */
export function createDeadlines () {
  const waiting = new Set<Waiting>()
  let timer: NodeJS.Timeout | undefined

  function look (): void {
    const now = performance.now()
    for (const one of waiting) {
      if (one.at > now) continue
      waiting.delete(one)
      one.fire()
    }
    if (waiting.size > 0) timer?.refresh()
    else timer = undefined
  }

  return {
    add (timeoutMs: number, fire: () => void): Waiting {
      const one = { at: performance.now() + timeoutMs, fire }
      waiting.add(one)
      timer ??= setTimeout(look, stepMs).unref()
      return one
    },
    remove (one: Waiting): void { waiting.delete(one) }
  }
}

export type Deadlines = ReturnType<typeof createDeadlines>
