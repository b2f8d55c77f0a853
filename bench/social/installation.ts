// What the bench measures: a server in this process, workers and the stand-ins in their own.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import type { Db } from 'mongodb'
import { buildApp, migrate } from '../../plugins/index.ts'
import { loadConfig } from '../../src/config/index.ts'
import { testEnvironment } from '../../test/helper.ts'
import { signIn, type SignedIn } from '../../test/sign-in.ts'
import { spawnStandIn } from '../../test/stand-ins/process.ts'

export interface Account { id: string, who: SignedIn, token: string, origin: string }

export interface Installation {
  app: FastifyInstance
  db: Db
  /** A new person with a new account of the stand-in; no media where `hasMedia` is not said. */
  connect: (content: 'posts' | 'media') => Promise<Account>
  /** Asks for a sync; answers when `isDone` says so, in milliseconds since the call. */
  sync: (account: Account, body: object, isDone: (account: Account) => Promise<boolean>) => Promise<number>
  close: () => Promise<void>
}

/** At most so late an end is seen. */
const lookMs = 25

interface Ready { origin: string, control: string }

const hosts = { posts: 'posts', media: 'media' } as const

export async function startInstallation (): Promise<Installation> {
  const standIns = {
    posts: await spawnStandIn<Ready>(new URL('platforms.ts', import.meta.url), [hosts.posts]),
    media: await spawnStandIn<Ready>(new URL('platforms.ts', import.meta.url), [hosts.media])
  }
  const allowed = Object.values(standIns).map(({ ready }) => new URL(ready.origin).host)
  const environment = testEnvironment({
    LOG_LEVEL: 'warn', FETCH_ALLOW: allowed.join(','), HTTP_PUBLIC_URL: 'http://127.0.0.1:7300'
  })
  const config = loadConfig(environment)
  const app = await buildApp({ role: 'server', config })
  await migrate(config.mongo, app.registry.collections.values())
  await app.ready()
  const workers = [await startWorker(environment, ['io', 'keeper']), await startWorker(environment, ['cpu'])]

  return {
    app,
    db: app.db,
    async connect (content) {
      const { ready: { origin, control } } = standIns[content]
      // The platform allows 300 requests in five minutes of its own clock.
      await post(`${control}/control/clock`, { advanceMs: 300_000 })
      const { accessToken: token } = await post(`${control}/control/tokens`, {}) as { accessToken: string }
      const who = await signIn(app)
      const { accountId: id } = await ask(app, who, 'POST', '/v1/social/connections', {
        platform: 'mastodon', instance: origin, method: 'token', token
      }) as { accountId: string }
      await app.db.collection('social.accounts').updateOne({ _id: id as never }, {
        $set: { 'syncPolicy.everyMinutes': 1440, 'mediaPolicy.fetch': content === 'media' ? 'images' : 'none' }
      })
      await post(`${control}/control/clock`, { advanceMs: 300_000 })
      await quiet(app.db)
      return { id, who, token, origin }
    },
    async sync (account, body, isDone) {
      const began = performance.now()
      await ask(app, account.who, 'POST', `/v1/social/accounts/${account.id}/sync`, body)
      // Seldom: the questions of the bench take from the time of the store, and the bare arms ask none.
      while (!await isDone(account)) await sleep(lookMs)
      return performance.now() - began
    },
    async close () {
      for (const worker of workers) {
        worker.kill('SIGTERM')
        await once(worker, 'exit')
      }
      for (const { stop } of Object.values(standIns)) await stop()
      await app.db.dropDatabase()
      await app.close()
    }
  }
}

async function startWorker (environment: Record<string, string>, groups: string[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'workers/worker.ts', ...groups], {
    env: environment, stdio: ['ignore', 'pipe', 'inherit']
  })
  await once(child.stdout, 'data')
  child.stdout.resume()
  return child
}

async function ask (
  app: FastifyInstance, who: SignedIn, method: 'POST', url: string, payload: object
): Promise<unknown> {
  const headers = { ...who.headers, 'idempotency-key': crypto.randomUUID() }
  const answer = await app.inject({ method, url, payload, headers })
  if (answer.statusCode >= 300) throw new Error(`${url} answered ${answer.statusCode} ${answer.body}`)
  return answer.json()
}

async function post (url: string, body: object): Promise<unknown> {
  const answer = await fetch(url, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body)
  })
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`)
  return await answer.json()
}

/** Waits until nothing of the round before is at work. */
export async function quiet (db: Db): Promise<void> {
  const due = { state: { $in: ['pending', 'published', 'running'] }, runAt: { $not: { $gt: new Date() } } }
  while (await db.collection('jobs.runs').countDocuments(due, { limit: 1 }) > 0) await sleep(20)
}
