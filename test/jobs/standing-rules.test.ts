// What backups, retention and reports decide without a store.
import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import t from 'tap'
import { csvCell } from '../../plugins/tables/writers.ts'
import { createDigest } from '../../src/jobs/backup/digest.ts'
import { openFrames, sealFrames } from '../../src/jobs/backup/frames.ts'
import { keptOf } from '../../src/jobs/backup/kept.ts'
import { createRecurrence } from '../../src/jobs/recurrence.ts'
import { dueDay, rangeOf } from '../../src/jobs/reports/periods.ts'
import { isRotated, oldLogs } from '../../src/jobs/retention/logs.ts'
import { standingSchedules } from '../../src/jobs/standing/schedules.ts'

const dayMs = 86_400_000

t.test('documents add up the same in any order, and a changed bit shows', async (t) => {
  const documents = Array.from({ length: 500 }, (_, i) => Buffer.from(`document ${i}`))
  const sumOf = (all: readonly Buffer[]) => {
    const digest = createDigest()
    for (const one of all) digest.add(one)
    return digest.value()
  }
  t.equal(sumOf(documents), sumOf(documents.toReversed()))
  t.not(sumOf(documents), sumOf([...documents.slice(1), Buffer.from('document x')]))
  t.equal(sumOf(documents).length, 64)
})

t.test('frames open whole, in order, under their key and in their place, or not at all', async (t) => {
  const key = randomBytes(32)
  const frame = 1024 * 1024 + 20
  const plain = randomBytes(3 * 1024 * 1024 + 5)
  const seal = async () => await buffer(Readable.from([plain]).pipe(sealFrames(key, 'b1/notes')))
  const opened = async (bytes: Buffer, { own = key, place = 'b1/notes' } = {}) => {
    const pieces = Array.from({ length: Math.ceil(bytes.length / 70_001) }, (_, i) =>
      bytes.subarray(i * 70_001, (i + 1) * 70_001))
    return await buffer(Readable.from(pieces).pipe(openFrames(own, place)))
  }
  const whole = await seal()
  t.ok((await opened(whole)).equals(plain))
  t.ok((await opened(await buffer(Readable.from([]).pipe(sealFrames(key, 'b1/notes'))))).equals(Buffer.alloc(0)))
  const cut = (from: number, to: number) => Buffer.concat([whole.subarray(0, from), whole.subarray(to)])
  const start = 40
  const swapped = Buffer.concat([
    whole.subarray(0, start), whole.subarray(start + frame, start + 2 * frame), whole.subarray(start, start + frame),
    whole.subarray(start + 2 * frame)
  ])
  const bad: Record<string, Promise<unknown>> = {
    'a frame dropped': opened(cut(start + frame, start + 2 * frame)),
    'the last frame dropped': opened(whole.subarray(0, start + 3 * frame)),
    'two frames swapped': opened(swapped),
    'something behind the end': opened(Buffer.concat([whole, Buffer.from('x')])),
    'another key': opened(whole, { own: randomBytes(32) }),
    'another place': opened(whole, { place: 'b1/papers' }),
    'another salt': opened(Buffer.concat([whole.subarray(0, 8), randomBytes(32), whole.subarray(start)]))
  }
  for (const [what, answer] of Object.entries(bad)) await t.rejects(answer, { code: 'jobs.backup_damaged' }, what)
})

t.test('7 days, 4 weeks, 6 months stay, and the last proven one whatever its age', async (t) => {
  const start = Date.UTC(2026, 10, 25, 3)
  const all = Array.from({ length: 400 }, (_, i) => ({
    id: `d${i}`, startedAt: new Date(start - i * dayMs), state: i === 399 ? 'proven' as const : 'written' as const
  }))
  const kept = keptOf(all)
  for (let day = 0; day < 7; day++) t.ok(kept.has(`d${day}`), `day ${day}`)
  t.ok(kept.has('d399'), 'the only proven one')
  t.ok(kept.size <= 7 + 3 + 6 + 1 && kept.size >= 7 + 2 + 5 + 1, `${kept.size} stay`)
  t.notOk(keptOf([{ id: 'f', startedAt: new Date(start), state: 'failed' }]).has('f'), 'a failed one fills no place')
})

t.test('periods are local days, and cells of a spreadsheet are no formulas', async (t) => {
  t.same(rangeOf('day', '2026-03-29', 'Europe/Berlin'),
    { from: new Date('2026-03-28T23:00:00Z'), to: new Date('2026-03-29T22:00:00Z') }, 'a day of 23 hours')
  t.equal(rangeOf('day', '2026-02-30', 'UTC'), undefined)
  t.equal(rangeOf('month', '2026-02', 'Nowhere/Land'), undefined)
  t.equal(dueDay(new Date('2026-03-10T01:30:00Z'), 'UTC'), '2026-03-08')
  t.equal(dueDay(new Date('2026-03-10T01:30:00Z'), 'Asia/Tokyo'), '2026-03-09')
  t.same(['=1+1', '+1', '-1', '@x', '\tx', 'a"b', 'plain'].map(csvCell),
    ["'=1+1", "'+1", "'-1", "'@x", "'\tx", '"a""b"', 'plain'])
  t.equal(csvCell(-5), '-5', 'a number is no text')
})

t.test('rotated logs go by age and by size, the file in use never', async (t) => {
  t.same(['app.log', 'app.log.1', 'app-20261125.log.gz', 'notes.txt', 'app.log.2026-11-25'].map(isRotated),
    [false, true, true, false, true])
  const files = [1, 2, 3].map((n) => ({ name: `app.log.${n}`, bytes: 10, modifiedMs: 100 - n }))
  t.same(oldLogs(files, 100, { mostAgeMs: 50, mostBytes: 20 }).map(({ name }) => name), ['app.log.3'])
  t.same(oldLogs(files, 100, { mostAgeMs: 1, mostBytes: 1000 }).map(({ name }) => name), ['app.log.2', 'app.log.3'])
})

t.test('the timetable of the house: when each slot is, and no backup without a key', async (t) => {
  const { between } = createRecurrence()
  // A Saturday noon to the Monday after it.
  const range = { after: new Date('2026-03-07T12:00:00Z'), until: new Date('2026-03-09T12:00:00Z') }
  const slots = Object.fromEntries(standingSchedules({ wantsBackups: true }).map(({ job, spec, zone }) =>
    [job.name, between({ spec, zone }, range).map(({ at }) => at.toISOString())]))
  t.equal(slots['jobs.start-daily-reports']?.length, 192)
  t.same(slots['jobs.back-up-database'], ['2026-03-08T03:00:00.000Z', '2026-03-09T03:00:00.000Z'])
  t.same(slots['jobs.clear-records'], ['2026-03-08T04:00:00.000Z'])
  t.same(slots['jobs.prove-backup'], ['2026-03-08T05:00:00.000Z'])
  const nights = standingSchedules({ wantsBackups: true }).filter(({ job }) => /backup|back-up/.test(job.name))
  t.same(nights.map(({ pauseAfter }) => pauseAfter), [0, 0], 'a night that fails does not end the nights')
  const names = standingSchedules({ wantsBackups: false }).map(({ job }) => job.name)
  t.same(names, ['jobs.start-daily-reports', 'jobs.clear-records'])
})
