import Fastify, { type FastifyInstance } from 'fastify'
import type { WorldClock } from './clock.ts'
import type { Ground } from './face.ts'
import { mainJobFaults, type Fault } from './faults.ts'
import type { Counts } from './ledger.ts'
import type { NewPost } from './world.ts'

type Control = Ground & { clock: WorldClock, small: boolean, reset: () => void }

const closed = (properties: Record<string, object>, required: string[] = []) =>
  ({ type: 'object', additionalProperties: false, properties, required })
const share = { type: 'number', minimum: 0, maximum: 1 }
const text = { type: 'string', maxLength: 10_000 }
const count = { type: 'integer', minimum: 0 }

const postFields = {
  text,
  media: { type: ['integer', 'null'] },
  language: { type: ['string', 'null'] },
  replies: count,
  reblogs: count,
  favourites: count
}
const matchFields = { face: text, operation: text, account: text, remoteId: text, nth: count, share }
const postsBody = closed({
  account: text,
  publish: { type: 'integer', minimum: 1, maximum: 10_000 },
  posts: { type: 'array', maxItems: 10_000, items: closed(postFields) },
  edit: closed({ id: text, ...postFields }, ['id']),
  remove: text
})
const tokensBody = closed({
  account: text,
  scopes: { type: 'array', maxItems: 20, items: text },
  refuse: text,
  times: { type: ['integer', 'null'], minimum: 0 },
  revoke: text
})
const faultsBody = closed({
  preset: { enum: ['main-job'] },
  clear: { const: true },
  faults: {
    type: 'array',
    maxItems: 100,
    items: closed({
      match: closed(matchFields),
      effect: { type: 'object', required: ['kind'], properties: { kind: text } },
      times: { type: ['integer', 'null'], minimum: 0 }
    }, ['match', 'effect'])
  }
})

/** The control port: what a test or the script of the main job does to the world and asks it. */
export function controlPort (control: Control): FastifyInstance {
  const app = Fastify({
    forceCloseConnections: true,
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, allowUnionTypes: true } }
  })
  changes(app, control)
  tokens(app, control)
  questions(app, control)
  return app
}

function changes (app: FastifyInstance, { world, clock, faults, reset, small }: Control) {
  app.post('/control/clock', {
    schema: { body: closed({ advanceMs: { type: 'number' }, freeze: { type: 'boolean' } }) }
  }, async ({ body }) => {
    const { advanceMs = 0, freeze } = body as { advanceMs?: number, freeze?: boolean }
    if (freeze === true) clock.freeze()
    if (freeze === false) clock.thaw()
    clock.advance(advanceMs)
    return { now: new Date(clock.now()).toISOString() }
  })

  app.post('/control/accounts', { schema: { body: closed({ id: text, username: text }, ['id', 'username']) } },
    async ({ body }) => ({ id: world.addAccount(body as { id: string, username: string }).id }))

  app.post('/control/posts', { schema: { body: postsBody } }, async ({ body }, reply) => {
    const asked = body as PostsBody
    const account = asked.account ?? world.actorId
    if (!world.accounts.has(account)) return await reply.code(404).send({ error: 'account' })
    const news = asked.posts ?? Array.from({ length: asked.publish ?? 0 }, () => ({}))
    const { id, ...change } = asked.edit ?? {}
    return {
      published: world.publish(account, news).map((post) => post.id),
      edited: id === undefined ? null : world.edit(account, id, change) !== null,
      removed: asked.remove === undefined ? null : world.remove(account, asked.remove)
    }
  })

  app.post('/control/faults', { schema: { body: faultsBody } }, async ({ body }) => {
    const asked = body as { preset?: 'main-job', clear?: true, faults?: Fault[] }
    if (asked.clear) faults.clear()
    const added = [...asked.preset ? mainJobFaults({ small }) : [], ...asked.faults ?? []]
    return { ids: added.map((fault) => faults.add(fault)) }
  })

  app.post('/control/reset', async () => {
    reset()
    return { isReset: true }
  })
}

interface PostsBody {
  account?: string
  publish?: number
  posts?: NewPost[]
  edit?: NewPost & { id: string }
  remove?: string
}

interface TokensBody {
  account?: string
  scopes?: string[]
  refuse?: string
  times?: number | null
  revoke?: string
}

/** Makes a token to be pasted, refuses one for some calls or for good (`all`: every one), revokes one. */
function tokens (app: FastifyInstance, { world }: Control) {
  const shownAs = (shown: string) =>
    [...world.tokens.values()].filter((token) => shown === 'all' || token.accessToken === shown)

  function refuse (shown: string, times: number | null): number {
    const found = shownAs(shown)
    for (const token of found) token.refusals = times ?? Infinity
    return found.length
  }

  function revoke (shown: string): number {
    const found = shownAs(shown)
    for (const token of found) world.revoke(token)
    return found.length
  }

  app.post('/control/tokens', { schema: { body: tokensBody } }, async ({ body }) => {
    const asked = body as TokensBody
    if (asked.refuse !== undefined) return { tokens: refuse(asked.refuse, asked.times ?? null) }
    if (asked.revoke !== undefined) return { tokens: revoke(asked.revoke) }
    const { account = world.actorId, scopes = ['read'] } = asked
    return { accessToken: world.issueToken({ clientId: null, accountId: account, scopes }).accessToken }
  })
}

function questions (app: FastifyInstance, { world, ledger, faults }: Control) {
  app.get('/control/ledger', async () => ({ items: ledger.entries }))

  app.get('/control/requests', async ({ query }) => {
    const { operation, remoteId, since = '0' } = query as Record<string, string | undefined>
    return {
      items: ledger.requests.filter((entry) => entry.n > Number(since) &&
        (operation === undefined || entry.operation === operation) &&
        (remoteId === undefined || entry.remoteId === remoteId))
    }
  })

  app.get('/control/accounts', async () => ({
    items: [...world.accounts.values()].map(({ id, username, posts }) => ({ id, username, posts: posts.length }))
  }))

  app.get('/control/faults', async () => ({ items: faults.list() }))

  // What must be found nowhere in the stores, logs and frames of the product.
  app.get('/control/secrets', async () => ({
    accessTokens: [...world.tokens.keys()],
    clientSecrets: [...world.apps.values()].map((made) => made.clientSecret),
    codes: [...world.codes.keys()]
  }))

  app.get('/control/counts', async ({ query }, reply) => {
    const { until, timeoutMs = '60000' } = query as Record<string, string | undefined>
    if (until === undefined) return { ...ledger.counts(), isReached: true }
    const [name, value] = until.split(':') as [keyof Counts, string | undefined]
    if (!(name in ledger.counts()) || !/^\d+$/.test(value ?? '')) return await reply.code(400).send({ error: 'until' })
    const gone = new AbortController()
    reply.raw.once('close', () => gone.abort())
    const signal = AbortSignal.any([gone.signal, AbortSignal.timeout(Number(timeoutMs))])
    const isReached = await ledger.until(name, Number(value), signal)
    return { ...ledger.counts(), isReached }
  })
}
