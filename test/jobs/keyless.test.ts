// Backups without a key: what a night makes of it, and where there are nights at all.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { buildApp } from '../../plugins/index.ts'
import { loadConfig } from '../../src/config/index.ts'
import { backUpDatabase, createLoadRepository } from '../../src/jobs/index.ts'
import { dropEnvironment, newEnvironment, open, runJob } from './standing-stage.ts'

t.test('a night without a key fails where it is seen, and the backup before it stays', async (t) => {
  const place = newEnvironment()
  t.teardown(async () => { await dropEnvironment(place) })
  const keyed = await open(place)
  t.equal((await runJob(keyed, backUpDatabase, {})).state, 'done')
  await keyed.close()
  const folder = join(place['BACKUP_STORE'] ?? '', place['MONGO_DB'] ?? '')
  const before = readdirSync(folder)

  const keyless = await open({ ...place, BACKUP_KEY: '' })
  t.teardown(async () => { await keyless.close() })
  t.equal((await runJob(keyless, backUpDatabase, {})).state, 'dead')
  const [last, ...older] = await keyless.db.collection('jobs.backups').find().sort({ _id: -1 }).toArray()
  t.match(last, { state: 'failed', error: { code: 'jobs.backup_key_missing' } })
  t.match(older[0], { state: 'written', _id: before[0] })
  const told = { type: 'jobs.backup.failed', 'data.backupId': last?.['_id'] }
  t.match(await keyless.db.collection('jobs.events').find(told).toArray(),
    [{ data: { code: 'jobs.backup_key_missing' } }])
  t.match(await keyless.db.collection('jobs.letters').find().toArray(),
    [{ name: 'jobs.back-up-database', code: 'jobs.backup_key_missing', state: 'open' }])
  t.same(readdirSync(folder), before)
  t.equal(await createLoadRepository(keyless.db).hasBackupFailed(), true, 'which is an alert')
})

t.test('production has its nights with a key and without, other environments only with one', async (t) => {
  const place = newEnvironment()
  t.teardown(async () => { await dropEnvironment(place) })
  const nightsOf = async (changes: object) => {
    const config = loadConfig({ ...place, ...changes })
    const offline = await buildApp({ role: 'worker', config, offline: true })
    await offline.after()
    const names = [...offline.registry.schedules.keys()].filter((name) => /backup|back-up/.test(name))
    await offline.close()
    return names.length
  }
  const production = {
    NODE_ENV: 'production', DOMAINS: 'identity', MAIL_DRIVER: 'smtp', SMTP_URL: 'smtp://localhost',
    HTTP_PUBLIC_URL: 'https://example.org'
  }
  t.equal(await nightsOf({}), 2)
  t.equal(await nightsOf({ BACKUP_KEY: '' }), 0)
  t.equal(await nightsOf({ ...production, BACKUP_KEY: '' }), 2)
})
