import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Answer } from '../delivery.ts'
import { createFace, type Call, type Endpoint, type Ground } from '../face.ts'
import type { Post } from '../posts.ts'
import { mediaAnswer } from './mastodon/media.ts'
import { admit, isAnswer, oauthEndpoints } from './mastodon/oauth.ts'
import { accountOf, credentialAccountOf, instanceOf, nodeInfoOf, nodeInfoSchema, statusOf } from './mastodon/shapes.ts'

const pageSize = 20
const mostPerPage = 40
// One grey pixel.
const pixel = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==', 'base64')

type Query = Record<string, unknown>

/** The face of a Mastodon 4.x server. */
export function mastodonFace (ground: Ground): FastifyInstance {
  const { app, add } = createFace('mastodon', ground)
  for (const endpoint of [...oauthEndpoints(ground), ...accountEndpoints(ground), ...publicEndpoints(ground)]) {
    add(endpoint)
  }
  return app
}

function accountEndpoints (ground: Ground): Endpoint[] {
  const { world } = ground
  const read = { method: 'GET' as const, isLimited: true }
  return [
    {
      ...read,
      url: '/api/v1/accounts/verify_credentials',
      operation: 'accounts.verify',
      answer (call) {
        const token = admit(call, ['read', 'read:accounts', 'profile'])
        if (isAnswer(token)) return token
        return { status: 200, body: credentialAccountOf(world.accounts.get(token.accountId)!, call.origin) }
      }
    },
    {
      ...read,
      url: '/api/v1/accounts/lookup',
      operation: 'accounts.lookup',
      answer (call) {
        const acct = (call.request.query as Query)['acct']
        const account = [...world.accounts.values()].find(({ username }) => username === acct)
        return account ? { status: 200, body: accountOf(account, call.origin) } : notFound
      }
    },
    {
      ...read,
      url: '/api/v1/accounts/:id',
      operation: 'accounts.get',
      about: idOf,
      answer (call) {
        const account = world.accounts.get(idOf(call.request))
        return account ? { status: 200, body: accountOf(account, call.origin) } : notFound
      }
    },
    {
      ...read,
      url: '/api/v1/accounts/:id/statuses',
      operation: 'accounts.statuses',
      about: idOf,
      answer: (call) => statuses(ground, call)
    },
    {
      ...read,
      url: '/api/v1/statuses/:id',
      operation: 'statuses.get',
      about: idOf,
      answer: (call) => status(ground, call)
    }
  ]
}

function publicEndpoints ({ world }: Ground): Endpoint[] {
  const read = { method: 'GET' as const }
  return [
    {
      ...read,
      url: '/api/v2/instance',
      operation: 'instance.get',
      isLimited: true,
      answer: ({ origin }) => ({ status: 200, body: instanceOf(world, origin) })
    },
    {
      ...read,
      url: '/.well-known/nodeinfo',
      operation: 'nodeinfo.links',
      answer: ({ origin }) => ({
        status: 200, body: { links: [{ rel: nodeInfoSchema, href: `${origin}/nodeinfo/2.0` }] }
      })
    },
    {
      ...read,
      url: '/nodeinfo/2.0',
      operation: 'nodeinfo.get',
      answer: () => ({ status: 200, body: nodeInfoOf(world) })
    },
    {
      ...read,
      url: '/media/:id',
      operation: 'media.get',
      about: idOf,
      answer (call) {
        const id = idOf(call.request)
        const file = /^\d{1,9}$/.test(id) ? world.media.get(Number(id)) : undefined
        return file ? mediaAnswer(file, call) : notFound
      }
    },
    ...['avatars', 'headers'].map((folder) => ({
      ...read,
      url: `/${folder}/original/missing.png`,
      operation: 'pictures.get',
      answer: () => ({ status: 200, headers: { 'content-type': 'image/png' }, body: pixel })
    }))
  ]
}

const notFound: Answer = { status: 404, body: { error: 'Record not found' } }

function idOf (request: FastifyRequest): string {
  return (request.params as { id: string }).id
}

function statuses ({ world }: Ground, call: Call): Answer {
  const token = admit(call, ['read', 'read:statuses'])
  if (isAnswer(token)) return token
  const account = world.accounts.get(idOf(call.request))
  if (!account) return notFound
  const query = call.request.query as Query
  const limit = query['limit'] === undefined ? pageSize : Math.min(mostPerPage, Number(query['limit']))
  const [maxId, minId, sinceId] = ['max_id', 'min_id', 'since_id'].map((name) => query[name])
  if (!Number.isInteger(limit) || limit < 1 || ![maxId, minId, sinceId].every(isIdOrAbsent)) {
    return { status: 400, body: { error: 'limit, max_id, min_id or since_id is no number' } }
  }
  const asked = { maxId, minId, sinceId } as Record<'maxId' | 'minId' | 'sinceId', string | undefined>
  const { posts, hasOlder } = world.page(account.id, { limit, ...asked, keep: filterOf(query) })
  const link = linkOf({ call, query, limit, posts, hasOlder })
  return {
    status: 200,
    headers: link === '' ? {} : { link },
    body: posts.map((post) => statusOf(post, account, world, call.origin))
  }
}

function isIdOrAbsent (value: unknown): boolean {
  return value === undefined || (typeof value === 'string' && /^\d{1,20}$/.test(value))
}

function filterOf (query: Query): ((post: Post) => boolean) | undefined {
  const isOn = (name: string) => query[name] === 'true' || query[name] === '1'
  const tag = query['tagged']
  if (isOn('pinned')) return () => false
  if (!isOn('only_media') && typeof tag !== 'string') return undefined
  return (post) => (!isOn('only_media') || post.media !== null) &&
    (typeof tag !== 'string' || post.tags.includes(tag.toLowerCase()))
}

interface LinkInput {
  call: Call
  query: Query
  limit: number
  posts: Post[]
  hasOlder: boolean
}

/** RFC 8288: `next` leads to older posts and stands only where there are some, `prev` to newer ones. */
function linkOf ({ call: { origin, request }, query, limit, posts, hasOlder }: LinkInput): string {
  const [newest, oldest] = [posts.at(0), posts.at(-1)]
  if (!newest || !oldest) return ''
  const kept = ['only_media', 'tagged', 'exclude_replies', 'exclude_reblogs']
    .filter((name) => typeof query[name] === 'string').map((name) => [name, query[name] as string])
  const link = (rel: string, name: string, id: string) => {
    const search = new URLSearchParams([['limit', String(limit)], ...kept, [name, id]] as [string, string][])
    return `<${origin}/api/v1/accounts/${idOf(request)}/statuses?${search}>; rel="${rel}"`
  }
  return [...hasOlder ? [link('next', 'max_id', oldest.id)] : [], link('prev', 'min_id', newest.id)].join(', ')
}

function status ({ world }: Ground, call: Call): Answer {
  const token = admit(call, ['read', 'read:statuses'])
  if (isAnswer(token)) return token
  for (const account of world.accounts.values()) {
    const post = account.posts.find(({ id }) => id === idOf(call.request))
    if (post) return { status: 200, body: statusOf(post, account, world, call.origin) }
  }
  return notFound
}
