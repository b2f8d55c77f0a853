// The main job whole, by the script that the demo runs, over processes of its own.
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { runMainJob } from '../../bin/demo/main-job.ts'
import { openStage } from '../../bin/demo/stage.ts'
import { testStores } from '../stores.ts'

t.test('a person signs up, connects, reads, is alerted and told once, and every figure holds', async (t) => {
  const name = `journey${randomBytes(6).toString('hex')}`
  const { mongoUrl, redisUrl } = testStores()
  const stage = await openStage({
    dir: join(tmpdir(), `switchyard-${name}`),
    env: { ...process.env, MONGO_URL: mongoUrl, REDIS_URL: redisUrl, MONGO_DB: name, KEY_PREFIX: name, NODE_ENV: '' },
    isSmall: false,
    say: (line) => { t.comment(line) }
  })
  t.teardown(async () => { await stage.close() })
  const outcome = await runMainJob(stage, {
    isSmall: false, isChaos: false, isScripted: false, timeScale: 3, quietMs: 3000
  })
  t.comment(JSON.stringify(outcome.figures))
  t.same(outcome.failures, [])
  t.same(outcome.rows, { 1: true, 2: true, 3: true, 4: true, 5: true, 7: true, 8: true, 9: true, 10: true, 11: true })
})

t.test('the small world keeps its figures while everything is killed once', async (t) => {
  const name = `chaos${randomBytes(6).toString('hex')}`
  const { MONGO_URL: _mongo, REDIS_URL: _redis, ...env } = process.env
  const stage = await openStage({
    dir: join(tmpdir(), `switchyard-${name}`),
    env: { ...env, NODE_ENV: '' },
    isSmall: true,
    say: (line) => { t.comment(line) }
  })
  t.teardown(async () => { await stage.close() })
  const outcome = await runMainJob(stage, {
    isSmall: true, isChaos: true, isScripted: true, timeScale: 3, quietMs: 3000
  })
  t.comment(JSON.stringify(outcome.figures))
  t.same(outcome.failures, [])
  t.equal(outcome.rows[6], true)
})
