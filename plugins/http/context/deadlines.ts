import type { RequestContext } from './request-context.ts'

const stepMs = 25

/**
 * The requests in flight, looked through for their deadlines every 25 ms while there are any: most requests end long
 * before, and a timer of each would cost more than all the rest of their context. A list of neighbours, for the same
 * reason.
 */
export function createDeadlines (fire: (late: RequestContext) => void) {
  let newest: RequestContext | undefined
  let timer: NodeJS.Timeout | undefined

  function look (): void {
    const now = performance.now()
    let one = newest
    while (one !== undefined) {
      const { previous } = one
      if (one.dueAt <= now) {
        remove(one)
        fire(one)
      }
      one = previous
    }
    timer = newest === undefined ? undefined : setTimeout(look, stepMs).unref()
  }

  function remove (one: RequestContext): void {
    const { previous, next } = one
    if (next === undefined && one !== newest) return
    if (previous !== undefined) previous.next = next
    if (next === undefined) newest = previous
    else next.previous = previous
    one.previous = one.next = undefined
  }

  return {
    add (one: RequestContext): void {
      one.previous = newest
      if (newest !== undefined) newest.next = one
      newest = one
      timer ??= setTimeout(look, stepMs).unref()
    },
    /** Takes a request out; nothing where it is out already. */
    remove
  }
}
