// Who goes before whom of what waits in Redis.
import t from 'tap'
import { createPrecedence, mayGoBeyond } from '../../src/jobs/index.ts'
import type { Lane } from '../../src/kernel/index.ts'

const window = 150
type Kind = readonly [lane: Lane, isFew?: boolean]

/**
 * After how many starts a run goes that comes into a full window, while the others keep coming, in turns. Redis takes
 * the least priority, and of equal ones what came first.
 */
function startsBefore ([lane, isFew = false]: Kind, others: readonly Kind[], limit = 10_000): number {
  const precedence = createPrecedence()
  const waiting: Array<{ priority: number, at: number, isOurs: boolean }> = []
  let at = 0
  function come (kind: Kind, isOurs = false): void {
    waiting.push({ priority: precedence.next({ lane: kind[0], isFew: kind[1] ?? false, window }), at: at++, isOurs })
  }
  function start (): boolean {
    const [first] = waiting.toSorted((a, b) => a.priority - b.priority || a.at - b.at)
    if (first !== undefined) waiting.splice(waiting.indexOf(first), 1)
    return first?.isOurs === true
  }
  const other = (n: number): Kind => others[n % others.length] ?? ['default']
  for (let n = 0; n < 1000; n++) {
    come(other(n))
    if (n >= window) start()
  }
  come([lane, isFew], true)
  for (let starts = 0; starts < limit; starts++) {
    if (start()) return starts
    come(other(starts))
  }
  return limit
}

t.test('a lane goes before those behind it, and who has little at work before the others of its lane', async (t) => {
  t.equal(startsBefore(['interactive'], [['default']]), 0)
  t.equal(startsBefore(['interactive'], [['bulk']]), 0)
  t.equal(startsBefore(['default'], [['bulk']]), 0)
  t.equal(startsBefore(['default', true], [['default']]), 0)
  t.equal(startsBefore(['interactive', true], [['interactive']]), 0)
})

t.test('nobody is passed for ever, whoever keeps coming', async (t) => {
  // As many as are there, as many again that pass on their credit, and half of what comes meanwhile.
  const bound = 2 * (window + 64)
  t.ok(startsBefore(['default'], [['interactive']]) <= bound)
  t.ok(startsBefore(['bulk'], [['default']]) <= bound)
  t.ok(startsBefore(['default'], [['default', true]]) <= bound)
  // Two before it, each with a half of what is left: a quarter remains.
  t.ok(startsBefore(['bulk'], [['interactive'], ['default']]) <= 2 * bound)
})

t.test('a run of somebody else goes soon beside a lane that is more urgent', async (t) => {
  t.ok(startsBefore(['default', true], [['interactive']]) <= window)
  t.ok(startsBefore(['bulk', true], [['default']]) <= window)
})

t.test('who has little at work may go beyond the places, but in no lane that can wait, nor in a flood', async (t) => {
  const priorityOf = (lane: Lane, isFew: boolean): number => createPrecedence().next({ lane, isFew, window })
  const asked = [['interactive', true], ['default', true], ['bulk', true], ['interactive', false], ['default', false]]
  t.same(asked.map(([lane, isFew]) => mayGoBeyond(priorityOf(lane as Lane, isFew as boolean))),
    [true, true, false, false, false])
  const precedence = createPrecedence()
  const next = (): boolean => mayGoBeyond(precedence.next({ lane: 'default', isFew: true, window }))
  t.equal(Array.from({ length: 1000 }, next).filter(Boolean).length, 64 + (1000 - 64) / 2, 'credit, then every second')
})
