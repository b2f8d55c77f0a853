// A backup whose target is full, through its job and a worker of the product that may write no larger file.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { backUpDatabase } from '../../src/jobs/index.ts'
import { quickSignIn } from '../helper.ts'
import { dropEnvironment, newEnvironment, open, runJob } from './standing-stage.ts'
import { kill } from './victim.ts'

/** In half kilobytes: room for what an empty product holds. */
const room = 400

t.test('it fails with a word and tells of it, and the backups from before stay', async (t) => {
  const environment = newEnvironment()
  const app = await open(environment, { role: 'server' })
  const file = join(import.meta.dirname, '../../workers/worker.ts')
  const worker = spawn('/bin/sh', [
    // What the runner of tests loads into a child would end it at the limit, by a signal.
    '-c', `unset NODE_OPTIONS; ulimit -f ${room}; exec "$0" "$@"`,
    process.execPath, '--disable-warning=ExperimentalWarning', file, 'io', 'keeper'
  ], { env: environment, stdio: ['ignore', 'ignore', 'inherit'] })
  t.teardown(async () => {
    await kill(worker)
    await app.close()
    await dropEnvironment(environment)
  })
  const operator = await quickSignIn(app, { roles: ['owner', 'operator'] })
  const target = join(environment['BACKUP_STORE'] ?? '', environment['MONGO_DB'] ?? '')
  const { state, result } = await runJob(app, backUpDatabase, {})
  const good = String(result?.['backupId'])
  t.equal(state, 'done')
  t.same(readdirSync(target), [good])

  // Nothing makes this smaller.
  await app.db.collection('test.notes').insertOne({ bytes: randomBytes(2 ** 20) })
  t.match(await runJob(app, backUpDatabase, {}), { state: 'dead', error: { class: 'transient', code: 'jobs.disk' } })
  t.same(readdirSync(target), [good], 'nothing of the others is left')
  const [event] = await app.db.collection('jobs.events').find({ type: 'jobs.backup.failed' }).toArray()
  t.match(event, { data: { code: 'jobs.disk' } })
  const listed = await app.inject({ url: '/v1/jobs/backups', headers: operator.headers })
  const { data } = listed.json<{ data: Array<{ id: string, state: string, isStored: boolean }> }>()
  t.match(data.at(-1), { id: good, state: 'written', isStored: true })
  t.ok(data.length > 1 && data.slice(0, -1).every((one) => one.state === 'failed' && !one.isStored))
  t.match(data[0], { problem: { code: 'jobs.disk' } })
  t.match(await app.db.collection('jobs.letters').findOne({ name: backUpDatabase.name }), { code: 'jobs.disk' })

  const exited = once(worker, 'exit')
  worker.kill('SIGTERM')
  t.same(await exited, [0, null])
})
