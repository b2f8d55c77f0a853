import { randomBytes } from 'node:crypto'
import t from 'tap'
import { redactionPaths } from '../../plugins/http/server-options/redaction.ts'
import { ConfigError, loadConfig } from '../../src/config/index.ts'

const key = `k1:${randomBytes(32).toString('hex')}`
const good = { NODE_ENV: 'test', MASTER_KEYS: key }

function problemsOf (environment: Record<string, string>): readonly string[] {
  try {
    loadConfig(environment)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

t.test('an environment that says little is complete', async (t) => {
  const config = loadConfig(good)
  t.match(
    config, { http: { host: '127.0.0.1', port: 7300 }, mongo: { database: 'switchyard' }, mail: { driver: 'capture' } }
  )
  t.match(config, { metricsHost: '127.0.0.1', jobs: { drainS: 60, shutdownMs: 20_000 } })
  t.match(
    loadConfig({ ...good, JOBS_DRAIN_S: '30', JOBS_SHUTDOWN_S: '5' }), { jobs: { drainS: 30, shutdownMs: 5000 } }
  )
  t.ok(Object.isFrozen(config.http))
  t.equal(config.domains.length, 5)
})

t.test('every error is told at once, each by its name', async (t) => {
  const problems = problemsOf({
    ...good,
    HTTP_PORT: 'eighty',
    LOG_LEVEL: 'loud',
    MONGO_URL: 'http://x',
    HTTP_PUBLIC_URL: 'https://x/path',
    DOMAINS: 'social,shop'
  }).join('\n')
  for (const name of ['HTTP_PORT', 'LOG_LEVEL', 'MONGO_URL', 'HTTP_PUBLIC_URL', 'DOMAINS']) t.match(problems, name)
})

const broken: Array<[string, Record<string, string>, RegExp]> = [
  ['a port out of range', { HTTP_PORT: '70000' }, /HTTP_PORT/],
  ['a negative limit', { HTTP_FLOOD_PER_MIN: '-1' }, /HTTP_FLOOD_PER_MIN/],
  ['smtp without a server', { MAIL_DRIVER: 'smtp' }, /SMTP_URL/],
  ['a scanner that does not exist yet', { MEDIA_SCANNER: 'clamd' }, /MEDIA_SCANNER/],
  ['a domain without what it needs', { DOMAINS: 'social' }, /needs media|needs identity/],
  ['a short key', { MASTER_KEYS: 'k:abcd' }, /MASTER_KEYS/],
  ['a readable key', {
    MASTER_KEYS: `k:${Buffer.from('0123456789abcdefghijklmnopqrstuv').toString('base64')}`
  }, /MASTER_KEYS/],
  ['no key', { MASTER_KEYS: '' }, /MASTER_KEYS/],
  ['production with captured mails', { NODE_ENV: 'production' }, /MAIL_DRIVER=capture/],
  ['production with open doors inside', { NODE_ENV: 'production', FETCH_ALLOW: '127.0.0.1:80' }, /FETCH_ALLOW/],
  ['production with media and no scanner', { NODE_ENV: 'production' }, /MEDIA_SCANNER/]
]
for (const [name, change, expected] of broken) {
  t.test(`refused: ${name}`, async (t) => {
    t.match(problemsOf({ ...good, ...change }).join('\n'), expected)
  })
}

t.test('no secret is ever in a message, and the logger hides every secret variable', async (t) => {
  const secret = 'hunter2hunter2'
  const problems = problemsOf({
    ...good,
    MONGO_URL: `postgres://user:${secret}@x`,
    REDIS_URL: `http://:${secret}@x`,
    SMTP_URL: secret,
    MASTER_KEYS: `k:${secret}`
  })
  t.ok(problems.length >= 4)
  t.notMatch(problems.join('\n'), secret)
  const paths = redactionPaths()
  for (
    const path of ['MASTER_KEYS', 'masterKeys', 'config.masterKeys', 'headers.authorization', 'MONGO_URL']
  ) t.ok(paths.includes(path), path)
})
