/** How far everything is published: the token of the last event that nothing before it waits for any more. */
export function createProgress (start: unknown) {
  let handled: unknown = start
  let isIdle = start !== null
  let tokens: Array<{ seq: number, token: unknown }> = []
  const open = new Map<number, number>()
  let seq = 0

  function begin (of: number): void { open.set(of, (open.get(of) ?? 0) + 1) }

  function end (of: number): void {
    const left = (open.get(of) ?? 1) - 1
    if (left > 0) open.set(of, left)
    else open.delete(of)
  }

  return {
    /** The number of the next event. */
    next (token: unknown): number {
      tokens.push({ seq: ++seq, token })
      return seq
    },
    begin,
    end,
    /** Nothing came for a while: the stream itself says where it stands. */
    idle (token: unknown): void {
      if (open.size === 0 && tokens.length === 0) handled = token ?? handled
    },
    /** Everything before this was published; `isIdle` where no change of ours led to it. */
    mark (): { token: unknown, isIdle: boolean } {
      const waiting = Math.min(...open.keys())
      const done = tokens.findLast((one) => one.seq < waiting)
      if (done !== undefined) {
        handled = done.token
        isIdle = false
        tokens = tokens.filter((one) => one.seq > done.seq)
      }
      return { token: handled, isIdle }
    },
    /** The mark was kept. */
    saved (): void { isIdle = true }
  }
}

export type Progress = ReturnType<typeof createProgress>
