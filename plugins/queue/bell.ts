/** What a loop sleeps on between two turns: it ends when it is rung and there is something to do, or in its time. */
export function createBell () {
  let onRing: (() => void) | undefined
  return {
    ring (): void { onRing?.() },
    /** Waits until it `isOver`, for `ms` at most; a ring that came before the wait is met by `isOver`. */
    async wait (ms: number, signal: AbortSignal, isOver: () => boolean): Promise<void> {
      if (signal.aborted || isOver()) return
      await new Promise<void>((resolve) => {
        const done = (): void => {
          clearTimeout(timer)
          signal.removeEventListener('abort', done)
          onRing = undefined
          resolve()
        }
        const timer = setTimeout(done, Math.max(0, ms))
        signal.addEventListener('abort', done)
        onRing = () => { if (isOver()) done() }
      })
    }
  }
}
