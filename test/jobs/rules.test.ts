import t from 'tap'
import { Type, type TSchema } from 'typebox'
import { backoffMs, classify, judge, RunAborted, WaitSignal, type Classified } from '../../src/jobs/classify.ts'
import { JobsError } from '../../src/jobs/errors.ts'
import { fingerprintOf } from '../../src/jobs/fingerprint.ts'
import { dataHash, deliveryId, seqOf } from '../../src/jobs/keys.ts'
import { checkPayload, readPayload } from '../../src/jobs/payload.ts'
import { policyOf, queuesOf, rhythms } from '../../src/jobs/queues.ts'
import { freePlaces, shareLanes, shareQuarter } from '../../src/jobs/window.ts'
import { insistOnHeld } from '../../plugins/queue/insist.ts'
import { runtimeLimits } from '../../plugins/queue/own-process.ts'
import { defineErrors, defineJob, isDomainError } from '../../src/kernel/index.ts'

const Wrong = defineErrors('test', {
  invalid: { kind: 'invalid', message: 'x' },
  forbidden: { kind: 'forbidden', message: 'x' },
  gone: { kind: 'not_found', message: 'x' },
  conflict: { kind: 'conflict', message: 'x' },
  limited: { kind: 'rate_limited', message: 'x' },
  away: { kind: 'unavailable', message: 'x' }
})
const named = (name: string, more: object = {}) => Object.assign(new Error('x'), { name, ...more })
const nowMs = 1_000_000
const half = () => 0.5

t.test('each error has its class', async (t) => {
  const table: Array<[string, unknown, string, number?]> = [
    ['domain invalid', Wrong.invalid(), 'permanent'],
    ['domain forbidden', Wrong.forbidden(), 'permanent'],
    ['domain not found', Wrong.gone(), 'permanent'],
    ['a business conflict is final', Wrong.conflict(), 'permanent'],
    ['data that is not of its schema', JobsError.schema_mismatch(), 'contract'],
    ['domain rate limited', Wrong.limited({}, { retryAfterMs: 4000 }), 'throttled', 4200],
    ['domain unavailable', Wrong.away(), 'transient'],
    ['domain unavailable that says when', Wrong.away({}, { retryAfterMs: 1000 }), 'throttled', 1050],
    ['connection reset', named('Error', { code: 'ECONNRESET' }), 'transient'],
    ['no space', named('Error', { code: 'ENOSPC' }), 'transient'],
    [
      'fetch wraps', Object.assign(
        new TypeError('fetch failed'), { cause: named('Error', { code: 'ECONNREFUSED' }) }
      ), 'transient'
    ],
    ['undici timeout', named('HeadersTimeoutError', { code: 'UND_ERR_HEADERS_TIMEOUT' }), 'transient'],
    ['mongo away', named('MongoServerSelectionError'), 'transient'],
    ['mongo away in a bulk', named('MongoBulkWriteError', { writeErrors: [] }), 'transient'],
    ['a document refused in a bulk', named('MongoBulkWriteError', { code: 121 }), 'bug'],
    ['redis away', named('MaxRetriesPerRequestError'), 'transient'],
    ['status 502', named('Error', { status: 502 }), 'transient'],
    ['status 503', named('Error', { statusCode: 503 }), 'transient'],
    ['status 503 with Retry-After', named('Error', { status: 503, retryAfterMs: 2000 }), 'throttled', 2100],
    ['status 429', named('Error', { status: 429, retryAfterMs: 60_000 }), 'throttled', 63_000],
    ['status 404', named('Error', { status: 404 }), 'permanent'],
    ['circuit open', named('CircuitOpenError', { retryAfterMs: 5000 }), 'circuit_open', 5000],
    ['write conflict', named('MongoServerError', { code: 112 }), 'conflict'],
    [
      'transient transaction', named(
        'MongoServerError', { code: 251, hasErrorLabel: (l: string) => l === 'TransientTransactionError' }
      ), 'conflict'
    ],
    ['wait', new WaitSignal(nowMs + 9000), 'not_ready', 9000],
    ['a short wait is five seconds', new WaitSignal(nowMs + 1), 'not_ready', 5000],
    ['a long wait is a day', new WaitSignal(nowMs + 1e12), 'not_ready', 86_400_000],
    ['own timer', new RunAborted('timeout'), 'timeout'],
    ['shutdown', new RunAborted('shutdown'), 'shutdown'],
    ['cancelled', new RunAborted('cancelled'), 'cancelled'],
    ['SMTP asks to come again', named('Error', { responseCode: 451 }), 'transient'],
    ['SMTP refuses', named('Error', { responseCode: 550 }), 'bug'],
    ['TypeError', new TypeError('x'), 'bug'],
    ['a string', 'x', 'bug'],
    ['nothing', undefined, 'bug']
  ]
  for (const [what, error, cause, waitMs] of table) {
    t.match(classify(error, nowMs, half), { cause, ...(waitMs === undefined ? {} : { waitMs }) }, what)
  }
})

t.test('each class has its consequence', async (t) => {
  const said = (cause: Classified['cause'], waitMs?: number): Classified => (
    { cause, code: 'x', message: 'x', ...(waitMs === undefined ? {} : { waitMs }) }
  )
  const first = { attempt: 0, conflicts: 0, hasSteps: false, timeouts: 0 }
  const net = { attempts: 6, backoff: 'net' as const }
  t.same(judge(said('transient'), first, net, half), { kind: 'again', afterMs: 500, isCounted: true })
  t.same(
    judge(said('transient'), { ...first, attempt: 5 }, net, half), { kind: 'dead' }, 'the sixth attempt was the last'
  )
  t.same(
    judge(said('throttled', 7000), { ...first, attempt: 5 }, net), { kind: 'again', afterMs: 7000, isCounted: false }
  )
  t.same(
    judge(said('circuit_open', 7000), { ...first, attempt: 5 }, net), { kind: 'again', afterMs: 7000, isCounted: false }
  )
  t.same(
    judge(said('not_ready', 7000), { ...first, attempt: 5 }, net), { kind: 'again', afterMs: 7000, isCounted: false }
  )
  t.same(judge(said('shutdown'), { ...first, attempt: 5 }, net), { kind: 'again', afterMs: 0, isCounted: false })
  t.same(judge(said('conflict'), first, net, half), { kind: 'again', afterMs: 110, isCounted: false })
  t.same(
    judge(said('conflict'), { ...first, conflicts: 3 }, net, half), { kind: 'again', afterMs: 110, isCounted: true }
  )
  t.same(judge(said('timeout'), first, net), { kind: 'again', afterMs: 30_000, isCounted: true })
  t.same(judge(said('timeout'), { ...first, attempt: 1, timeouts: 1 }, net), { kind: 'dead' })
  t.same(
    judge(
      said('timeout'), { ...first, attempt: 1, timeouts: 1, hasSteps: true }, net
    ), { kind: 'again', afterMs: 30_000, isCounted: true }
  )
  t.same(judge(said('bug'), first, net), { kind: 'again', afterMs: 10_000, isCounted: true })
  t.same(judge(said('bug'), { ...first, attempt: 1 }, net), { kind: 'dead' })
  for (
    const cause of ['permanent', 'contract', 'poison'] as const
  ) t.same(judge(said(cause), first, net), { kind: 'dead' })
  t.same(judge(said('cancelled'), first, net), { kind: 'cancelled' })
  t.equal(backoffMs('net', 40, () => 1), 900_000)
  t.equal(backoffMs('mail', 0), 60_000)
  t.equal(backoffMs('mail', 40), 6 * 3_600_000)
})

t.test('places are shared 8 : 3 : 1, and nothing stays free while somebody waits', async (t) => {
  const all = { interactive: 500, default: 500, bulk: 500 }
  t.same(shareLanes(120, all), { interactive: 80, default: 30, bulk: 10 })
  t.same(shareLanes(120, { interactive: 0, default: 0, bulk: 500 }), { interactive: 0, default: 0, bulk: 120 })
  t.same(shareQuarter(10, { interactive: 3, default: 9, bulk: 9 }), { interactive: 3, default: 7, bulk: 0 })
  t.same(freePlaces({ concurrency: 50, startsPerSec: 0, live: 0 }), { free: 150, extra: 188, size: 150 })
  t.same(freePlaces({ concurrency: 50, startsPerSec: 2000, live: 100 }).free, 700)
  t.same(freePlaces({ concurrency: 50, startsPerSec: 0, live: 120 }).free, 0, 'less than a third is free')
  t.same(freePlaces({ concurrency: 50, startsPerSec: 0, live: 49 }).free, 101)
  t.same(freePlaces({ concurrency: 1, startsPerSec: 0, live: 0 }).free, 10)
  t.same(freePlaces({ concurrency: 0, startsPerSec: 0, live: 0 }), { free: 0, extra: 0, size: 0 })
})

t.test('keys, order and fingerprints', async (t) => {
  t.equal(dataHash({ a: 1, b: { c: [1, 2], d: undefined } }), dataHash({ b: { c: [1, 2] }, a: 1 }))
  t.not(dataHash({ a: 1 }), dataHash({ a: 2 }))
  t.equal(deliveryId('x', 3), 'r-x-3')
  t.ok(seqOf('a', { type: 't', id: 'i', version: 9 }) < seqOf('b', { type: 't', id: 'i', version: 10 }))
  const bug = (error: Error) => fingerprintOf('job', { cause: 'bug', code: 'Error', message: '' }, error)
  function here (): Error { return new Error('x') }
  t.equal(bug(here()), bug(here()), 'line numbers do not count')
  t.not(
    fingerprintOf(
      'job', { cause: 'permanent', code: 'a', message: '' }, undefined
    ), fingerprintOf('job', { cause: 'permanent', code: 'b', message: '' }, undefined)
  )
})

t.test('data is checked at both ends', async (t) => {
  const schema = Type.Object({
    id: Type.String({ maxLength: 10 }), tags: Type.Optional(Type.Record(Type.String(), Type.Integer()))
  }, { additionalProperties: false })
  checkPayload('job', schema, { id: 'x' })
  const problems = (data: unknown, of: TSchema = schema): unknown => {
    try {
      checkPayload('job', of, data)
      return 'taken'
    } catch (error) {
      return isDomainError(error, 'jobs.schema_mismatch') ? error.options.errors?.map(({ pointer }) => pointer) : error
    }
  }
  t.same(problems({ id: 7 }), ['/id'])
  t.match(problems({ id: 'x', more: 1 }), ['/more'])
  t.same(problems({ id: 'x', tags: { $set: 1 } }), ['/tags/$set'])
  t.same(problems({ id: 'x', tags: { 'a.b': 1 } }), ['/tags/a.b'])
  t.not(problems(JSON.parse('{"id":"x","tags":{"__proto__":1}}')), 'taken')
  t.same(problems(JSON.parse('{"id":"x","tags":{"constructor":1}}')), ['/tags/constructor'])
  for (const name of ['__proto__', 'constructor']) {
    t.same(problems(JSON.parse(`{"b":[{"${name}":1}]}`), Type.Unknown()), [`/b/0/${name}`])
  }
  const big = Type.Object({ text: Type.String({ maxLength: 100_000 }) })
  t.throws(() => { checkPayload('job', big, { text: 'x'.repeat(40_000) }) },
    { code: 'jobs.data_too_large', message: /claim check/ })

  const job = defineJob({
    name: 'test.read-old', queue: 'fast', version: 2, data: schema, upcast: {
      1: (data: { key: string }) => ({ id: data.key })
    }
  })
  t.same(readPayload(job, 1, { key: 'x' }), { id: 'x' }, 'an old payload is lifted')
  t.same(readPayload(job, 2, { id: 'x', more: 1 }), { id: 'x' }, 'unknown members are dropped')
  t.throws(() => readPayload(job, 2, { id: 1 }), { code: 'jobs.schema_mismatch' })
})

t.test('a group decides which queues are consumed', async (t) => {
  t.same(queuesOf(['cpu']), ['image', 'video', 'bulk', 'report'])
  t.same(queuesOf(['keeper']), [])
  t.match(
    policyOf({ queue: 'mail', policy: { attempts: 2 } }), {
      attempts: 2, backoff: 'mail', timeoutMs: 60_000, isIdleTimeout: false
    }
  )
})

t.test('a lost machine costs the runs of each queue at most so much', async (t) => {
  // The lock lapses, and the next look for lapsed ones comes.
  const worstMs = Object.fromEntries(Object.entries(rhythms).map(([queue, { lockMs, stallMs }]) =>
    [queue, lockMs + stallMs]))
  const [io, cpu] = [15_000, 55_000]
  t.same(worstMs, {
    fast: io, mail: io, notify: io, webhook: io, publish: io, crawl: io, download: io, upkeep: io,
    image: cpu, video: cpu, bulk: cpu, report: cpu
  })
  t.match(runtimeLimits, { giveUpMs: 10_000, shutdownMs: 20_000 }, 'and a worker that is told to end waits so long')
})

t.test('a guard that matched nothing is asked again as long as the start has its run', async (t) => {
  const key = { id: 'r', fence: 1, claim: 'c' }
  let writes = 0
  const never = async (): Promise<boolean> => { writes++; return false }
  const held = { standing: async () => 'held' as const }
  t.equal(await insistOnHeld(held, key, async () => ++writes === 3), 'done')
  t.equal(writes, 3)
  t.equal(await insistOnHeld(held, key, never), 'held')
  t.equal(writes, 9, 'not for ever')
  t.equal(await insistOnHeld({ standing: async () => 'gone' }, key, never), 'gone')
  t.equal(await insistOnHeld({ standing: async () => 'cancelled' }, key, never), 'cancelled')
  t.equal(writes, 11, 'another start has it, or somebody cancelled it')
})
