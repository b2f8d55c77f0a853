/** Ascending numbers of several ascending sources, each number once. */
export function * merge (sources: ReadonlyArray<Iterable<number>>): Generator<number> {
  const heads = sources.map((source) => source[Symbol.iterator]()).map((source) => ({ source, head: source.next() }))
  let last = -Infinity
  for (;;) {
    const open = heads.filter(({ head }) => head.done !== true)
    if (open.length === 0) return
    const first = open.reduce((a, b) => Number(b.head.value) < Number(a.head.value) ? b : a)
    const value = Number(first.head.value)
    if (value > last) yield value
    last = Math.max(last, value)
    first.head = first.source.next()
  }
}

/** Months in which a day of the month does not exist, or not every year. */
export function monthsWithout (day: number): number[] {
  if (day === 31) return [2, 4, 6, 9, 11]
  return day === 29 || day === 30 ? [2] : []
}
