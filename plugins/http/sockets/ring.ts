import type { Item } from '../../pubsub/publication.ts'

const maxItems = 256
const maxBytes = 262_144
/** Items of a channel where the process keeps more than `budgetBytes` in all. */
const leanItems = 16
const budgetBytes = 64 * 1024 * 1024

/** The last publications of a channel: everything above `floor`. */
export interface Ring {
  readonly floor: number
  push (item: Item): void
  at (o: number): Item | undefined
  /** Everything above `o`, or null where that is not kept any more. */
  after (o: number): Item[] | null
  reset (floor: number): void
}

let used = 0

export function createRing (start: number): Ring {
  let items: Item[] = []
  let bytes = 0
  let floor = start

  function drop (count: number): void {
    for (const item of items.splice(0, count)) {
      bytes -= item.frame.length
      used -= item.frame.length
      floor = item.o
    }
  }

  /** Numbers of a state channel may have holes, so the place is found by halving. */
  function indexAfter (o: number): number {
    let [low, high] = [0, items.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((items[middle] as Item).o > o) high = middle
      else low = middle + 1
    }
    return low
  }

  return {
    get floor () { return floor },
    push (item) {
      items.push(item)
      bytes += item.frame.length
      used += item.frame.length
      const limit = used > budgetBytes ? leanItems : maxItems
      // In portions: moving the whole array for each publication would cost more than the memory.
      if (items.length > limit + 64 || bytes > maxBytes * 1.25) {
        let over = Math.max(0, items.length - limit)
        let rest = bytes
        for (let i = 0; i < over; i++) rest -= (items[i] as Item).frame.length
        while (rest > maxBytes) rest -= (items[over++] as Item).frame.length
        drop(over)
      }
    },
    at (o) {
      const item = items[indexAfter(o) - 1]
      return item?.o === o ? item : undefined
    },
    after: (o) => o < floor ? null : items.slice(indexAfter(o)),
    reset (next) {
      drop(items.length)
      items = []
      floor = next
    }
  }
}
