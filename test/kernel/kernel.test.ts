import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { Type } from 'typebox'
import { createHash } from 'node:crypto'
import {
  channelOf, createCursors, createRegistry, createSigner, currentContext, defineErrors, definePermissions, defineTopic,
  deriveKey, isDomainError, leaveNote, msOfUuidv7, toPage, uuidv7, withContext, withNotes
} from '../../src/kernel/index.ts'
import { ref } from '../../src/kernel/schemas.ts'

const masters = [{ id: 'new', bytes: randomBytes(32) }, { id: 'old', bytes: randomBytes(32) }]

t.test('ids are UUIDv7, unique and in the order they were made', async (t) => {
  const ids = Array.from({ length: 20_000 }, () => uuidv7())
  t.same(ids, ids.toSorted())
  t.equal(new Set(ids).size, ids.length)
  t.match(ids[0], /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  t.ok(Math.abs(msOfUuidv7(uuidv7()) - Date.now()) < 5000)
})

t.test('ids carry the time of their clock, whatever another clock says or this one once said', async (t) => {
  const now = Date.now() - 60_000
  const [first, ofHost, second] = [uuidv7(now), uuidv7(), uuidv7(now)]
  t.same([first, second].map(msOfUuidv7), [now, now], 'a host that is a minute ahead draws no id along')
  t.ok(first < second && second < ofHost)
  const ahead = uuidv7(now + 3_600_000)
  t.equal(msOfUuidv7(uuidv7(now + 1)), now + 1, 'a clock that was an hour ahead is put right')
  t.ok(ahead > uuidv7(now + 1))
  const [late, early] = [uuidv7(now + 500), uuidv7(now + 1)]
  t.ok(early > late, 'what goes back a little keeps its order')
})

t.test('a code never changes, and its status follows its kind', async (t) => {
  const errors = defineErrors('test', {
    gone_wrong: { kind: 'conflict', message: 'It went wrong.' }, odd: { kind: 'invalid', status: 400, message: 'Odd.' }
  })
  const error = errors.gone_wrong({ id: 1 }, { detail: 'this time', cause: new Error('below') })
  t.match(error, { code: 'test.gone_wrong', kind: 'conflict', details: { id: 1 }, message: 'this time' })
  t.equal(error.definition.status, 409)
  t.equal(errors.odd().definition.status, 400)
  t.ok(isDomainError(error, 'test.gone_wrong'))
  t.notOk(isDomainError(error, 'test.odd'))
  t.notOk(isDomainError(new Error('x')))
})

t.test('what is declared twice names both places', async (t) => {
  const registry = createRegistry()
  const errors = defineErrors('test', { a: { kind: 'invalid', message: 'A.' } })
  registry.declare({ domain: 'one', errors })
  t.throws(() => { registry.declare({ domain: 'two', errors }) }, /error test\.a is declared by one and by two/)
  const permissions = definePermissions('test', { 'a:read': { kind: 'read', roles: [], sentence: 'A.' } })
  registry.declare({ domain: 'one', permissions })
  t.throws(() => { registry.declare({ domain: 'two', permissions }) }, /permission test:a:read/)
  t.throws(() => { registry.declare({ domain: 'two', schemas: [Type.String()] }) }, /\$id/)
  t.throws(() => ref(Type.String()), /\$id/)
})

t.test('a cursor is good for exactly its list, and nothing that was not made here is one', async (t) => {
  const cursors = createCursors(createSigner(masters, 'cursors'))
  fc.assert(fc.property(fc.array(
    fc.oneof(fc.string(), fc.integer(), fc.constant(null))
  ), fc.string(), (values, scope) => {
    t.same(cursors.decode(cursors.encode(values, scope), scope), values)
  }), { numRuns: 100 })
  const cursor = cursors.encode(['2026-01-01', 'x'], 'w1 listPosts {}')
  t.throws(() => cursors.decode(cursor, 'w2 listPosts {}'), { code: 'http.cursor_invalid' })
  fc.assert(fc.property(fc.nat(cursor.length - 1), (at) => {
    const bad = cursor.slice(0, at) + (cursor[at] === 'A' ? 'B' : 'A') + cursor.slice(at + 1)
    try {
      // Base64 has spare bits at its end: a text that decodes to the same bytes is the same cursor.
      t.same(cursors.decode(bad, 'w1 listPosts {}'), ['2026-01-01', 'x'])
      return Buffer.from(bad.split('.')[1] ?? '', 'base64url').equals(
        Buffer.from(cursor.split('.')[1] ?? '', 'base64url')
      )
    } catch (error) {
      return isDomainError(error, 'http.cursor_invalid')
    }
  }), { numRuns: 200 })
  fc.assert(fc.property(fc.string(), (text) => {
    t.throws(() => cursors.decode(text, ''), { code: 'http.cursor_invalid' })
  }), { numRuns: 100 })
  const before = createCursors(createSigner([masters[1] as typeof masters[0]], 'cursors'))
  t.same(cursors.decode(before.encode([1], 's'), 's'), [1], 'the key before the current one still counts')
})

t.test('a page has what was asked for, and a next only where there is more', async (t) => {
  const cursors = createCursors(createSigner(masters, 'cursors'))
  const options = { cursors, scope: 's', values: (row: number) => [row], present: (row: number) => ({ row }) }
  const full = toPage([1, 2, 3], 2, options)
  t.match(full, { data: [{ row: 1 }, { row: 2 }], page: { hasMore: true, next: String } })
  t.same(cursors.decode(full.page.next ?? '', 's'), [2])
  t.same(toPage([1, 2], 2, options).page, { hasMore: false })
  t.same(toPage([], 2, options), { data: [], page: { hasMore: false } })
})

t.test('keys differ by purpose, and a mac holds under a listed key only', async (t) => {
  const [master] = masters as [typeof masters[0]]
  t.not(deriveKey(master, 'a').toString('hex'), deriveKey(master, 'b').toString('hex'))
  const signer = createSigner(masters, 'a')
  const mac = signer.sign('text')
  t.ok(signer.verify('text', 'new', mac))
  t.notOk(signer.verify('text', 'old', mac))
  t.notOk(signer.verify('text!', 'new', mac))
  t.notOk(signer.verify('text', 'new', mac.slice(0, 20)))
  t.notOk(createSigner(masters, 'b').verify('text', 'new', mac))
  t.equal(Buffer.from(mac, 'base64url').length, createHash('sha256').digest().length)
})

t.test('context and notes follow what is awaited and stay apart', async (t) => {
  const seen = await Promise.all(['a', 'b'].map(async (id) => await withContext({
    cause: { kind: 'run', id }
  }, async () => {
    await new Promise((resolve) => { setTimeout(resolve, 5) })
    return currentContext()?.cause.id
  })))
  t.same(seen, ['a', 'b'])
  t.equal(currentContext(), undefined)
  const key = Symbol('key')
  t.notOk(leaveNote(key, 1), 'outside a transaction nobody listens')
  const notes = new Map<symbol, unknown[]>()
  withNotes(notes, () => {
    leaveNote(key, 1)
    leaveNote(key, 2)
  })
  t.same(notes.get(key), [1, 2])
})

t.test('a topic names its channel', async (t) => {
  const topic = defineTopic('social.downloads:{accountId}', { class: 'state', source: 'document', kinds: {} })
  t.equal(channelOf(topic, { accountId: 'a42' }), 'social.downloads:a42')
  t.throws(() => defineTopic('nonsense' as 'a.b:{c}', { class: 'state', source: 'lossy', kinds: {} }), /not a topic/)
})
