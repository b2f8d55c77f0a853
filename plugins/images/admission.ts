/** Lets work in while the pixels in flight stay within the budget; small work passes waiting big work. */
export function createAdmission (budget: number) {
  let inFlight = 0
  const waiting = new Set<() => void>()

  return async function admit<T> (pixels: number, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const cost = Math.min(pixels, budget)
    while (inFlight > 0 && inFlight + cost > budget) {
      await new Promise<void>((resolve) => waiting.add(resolve))
    }
    signal?.throwIfAborted()
    inFlight += cost
    try {
      return await work()
    } finally {
      inFlight -= cost
      for (const wake of waiting) wake()
      waiting.clear()
    }
  }
}
