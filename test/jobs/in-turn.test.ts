// Transactions that write one document: who is in one process with another comes after it.
import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { Type } from 'typebox'
import { createInTurn } from '../../src/jobs/index.ts'
import { defineJob, type Dedupe, type Session } from '../../src/kernel/index.ts'
import { dropPlace, newPlace, rig } from './rig.ts'

const Numbered = Type.Object({ n: Type.Integer() }, { additionalProperties: false })
const count = defineJob({ name: 'test.count-up', queue: 'fast', data: Numbered })

t.test('adds of one process that replace each other are not thrown back', async (t) => {
  const place = newPlace()
  const app = await rig({ place, role: 'server', declared: { jobs: [count] } })
  t.teardown(async () => {
    await app.close()
    await dropPlace(place)
  })
  const modes: Dedupe[] = [{ key: 'last', mode: 'debounce', windowMs: 60_000 }, { key: 'next', mode: 'latest' }]
  for (const dedupe of modes) {
    let tries = 0
    const add = async (n: number) => await app.tx(async (session) => {
      tries++
      return await app.jobs.add(session, count, { n }, { workspaceId: 'w', dedupe })
    })
    const added = await Promise.all(Array.from({ length: 30 }, async (_, n) => await add(n)))
    t.same([tries, new Set(added.map(({ id }) => id)).size], [30, 1], dedupe.mode)
    await t.rejects(app.tx(async (session) => {
      await app.jobs.add(session, count, { n: 30 }, { workspaceId: 'w', dedupe })
      throw new Error('given up')
    }), /given up/)
    tries = 0
    await add(31)
    t.equal(tries, 1, 'after one that was given up')
    const [row] = await app.db.collection('jobs.runs').find({ 'dedupe.key': dedupe.key }).toArray()
    t.same(row?.['data'], { n: 31 })
  }
})

t.test('a turn is waited for a while, lasts until its transaction is over, and is the only one of it', async (t) => {
  const inTurn = createInTurn(100)
  const session = () => ({}) as unknown as Session
  const [first, second, third, other] = [session(), session(), session(), session()]
  const done: string[] = []
  const go = async (one: Session, line: string, name: string): Promise<void> => {
    await inTurn.wait(one, line)
    done.push(name)
  }
  await go(first, 'a', 'first')
  await go(first, 'a', 'first again')
  const waiting = [go(second, 'a', 'second'), go(third, 'a', 'third')]
  await go(other, 'b', 'other')
  await go(other, 'a', 'other, which has a turn')
  await setImmediate()
  t.same(done, ['first', 'first again', 'other', 'other, which has a turn'])
  inTurn.over(first)
  await waiting[0]
  t.equal(done.at(-1), 'second')
  await waiting[1]
  t.equal(done.at(-1), 'third', 'whose one before does not end')
  inTurn.over(session())
  inTurn.over(third)
  await go(first, 'a', 'a line of nobody')
})
