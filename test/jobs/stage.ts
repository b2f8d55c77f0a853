// The product whole, in one process, with jobs and subscribers of a test beside its own.
import type { FastifyInstance } from 'fastify'
import { buildApp, migrate } from '../../plugins/index.ts'
import { loadConfig } from '../../src/config/index.ts'
import type { Declarations } from '../../src/kernel/index.ts'
import { quickSignIn, testEnvironment, withoutTimetable, type QuickPerson } from '../helper.ts'
import { dropPlace } from './rig.ts'

export { until } from './rig.ts'

interface Teardown { teardown (undo: () => unknown): unknown }

interface Call {
  method?: 'GET' | 'POST' | 'PATCH' | 'PUT'
  as?: Pick<QuickPerson, 'headers'>
  payload?: object
}

/** A server and a worker, three workspaces with their owners, a guest of the first, and an operator. */
export async function stage (
  t: Teardown, declared: Omit<Declarations, 'domain'>, bind: (worker: FastifyInstance) => void
) {
  const environment = testEnvironment()
  const config = loadConfig(environment)
  const opened: FastifyInstance[] = []
  t.teardown(async () => {
    for (const one of opened.reverse()) await one.close()
    const { MONGO_URL: mongoUrl = '', REDIS_URL: redisUrl = '', MONGO_DB: name = '' } = environment
    await dropPlace({ mongoUrl, redisUrl, name })
  })
  const app = await open('server')
  const worker = await open('worker')
  const ann = await quickSignIn(app)

  async function open (role: 'server' | 'worker'): Promise<FastifyInstance> {
    const one = await buildApp({ role, config, groups: ['io', 'keeper'] })
    opened.push(one)
    one.declare({ domain: 'test', ...declared })
    if (role === 'worker') bind(one)
    await one.after()
    withoutTimetable(one)
    if (role === 'server') await migrate(config.mongo, one.registry.collections.values())
    await one.ready()
    return one
  }

  async function call (url: string, { method = 'GET', as = ann, payload }: Call = {}) {
    const answer = await app.inject({
      method, url: `/v1/jobs${url}`, headers: as.headers, ...(payload === undefined ? {} : { payload })
    })
    const isJson = String(answer.headers['content-type']).includes('json')
    return { status: answer.statusCode, body: isJson ? answer.json() : undefined, headers: answer.headers }
  }

  return {
    app,
    worker,
    ann,
    bob: await quickSignIn(app),
    guest: await quickSignIn(app, { workspaceId: ann.workspaceId, roles: ['guest'] }),
    operator: await quickSignIn(app, { roles: ['owner', 'operator'] }),
    call,
    post: async (url: string, payload: object, as: Call['as'] = ann) =>
      await call(url, { method: 'POST', payload, as }),
    async count (collection: string, filter: object): Promise<number> {
      return await app.db.collection(collection).countDocuments(filter)
    }
  }
}
