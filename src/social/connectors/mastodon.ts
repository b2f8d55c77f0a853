import { SocialError } from '../errors.ts'
import { facts } from '../platforms/mastodon/facts.ts'
import { isObject, postOf, profileOf } from '../platforms/mastodon/shapes.ts'
import { classify, codeOf } from '../platforms/mastodon/verdicts.ts'
import type { Limit } from '../schemas.ts'
import {
  Refusal, type BadItem, type Call, type CallRequest, type Connector, type Page, type RawAnswer, type RemotePost
} from './port.ts'

const scopes = facts.scopes.value

/** Mastodon and the servers that speak its client interface. */
export const mastodon: Connector = {
  platform: 'mastodon',
  neededScopes: scopes,
  classify,

  async register ({ redirectUri, name, website }, call) {
    const { body } = await ask(call, {
      method: 'POST',
      path: '/api/v1/apps',
      form: { client_name: name, redirect_uris: redirectUri, scopes: scopes.join(' '), website }
    })
    return { clientId: wordOf(body, 'client_id'), clientSecret: wordOf(body, 'client_secret') }
  },

  begin ({ instance, client, redirectUri, state, challenge }) {
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: client.clientId,
      redirect_uri: redirectUri,
      scope: scopes.join(' '),
      state,
      code_challenge: challenge,
      code_challenge_method: 'S256'
    })
    return `${instance}/oauth/authorize?${query.toString()}`
  },

  async complete ({ code, verifier, redirectUri, client }, call) {
    const { body } = await ask(call, {
      method: 'POST',
      path: '/oauth/token',
      form: {
        grant_type: 'authorization_code',
        code,
        code_verifier: verifier,
        redirect_uri: redirectUri,
        client_id: client.clientId,
        client_secret: client.clientSecret
      }
    })
    const granted = isObject(body) && typeof body['scope'] === 'string' ? body['scope'].split(/\s+/) : [...scopes]
    return { accessToken: wordOf(body, 'access_token'), scopes: granted.filter((scope) => scope !== '').slice(0, 50) }
  },

  missingScopes: (granted) =>
    scopes.filter((scope) => !granted.includes(scope) && !granted.includes(scope.split(':')[0] as string)),

  async probe (call) {
    const { body, headers } = await ask(call, { path: '/api/v1/accounts/verify_credentials', isAuthorized: true })
    const found = profileOf(body, limitsOf(headers))
    if ('pointers' in found) {
      throw SocialError.upstream_answer_invalid(
        {}, { detail: `profile: ${found.pointers.join(', ')}` })
    }
    return found
  },

  async readPosts ({ before, after }, { remoteId }, call, limit = facts.pageSize.value) {
    const query = new URLSearchParams({ limit: String(limit) })
    if (before !== undefined) query.set('max_id', before)
    if (after !== undefined) query.set('min_id', after)
    const path = `/api/v1/accounts/${encodeURIComponent(remoteId)}/statuses?${query.toString()}`
    return pageOf(await ask(call, { path, isAuthorized: true }))
  },

  async readPost (remoteId, call) {
    const answer = await call({ path: `/api/v1/statuses/${encodeURIComponent(remoteId)}`, isAuthorized: true })
    const verdict = classify(answer)
    if (verdict.kind === 'gone') return null
    if (verdict.kind !== 'ok') throw new Refusal(verdict, { status: answer.status, code: codeOf(answer.body) })
    const post = postOf(answer.body, 0)
    if ('pointers' in post) {
      throw SocialError.upstream_answer_invalid(
        {}, { detail: `post: ${post.pointers.join(', ')}` })
    }
    return post
  },

  async revoke ({ token, client }, call) {
    const form = { token, client_id: client.clientId, client_secret: client.clientSecret }
    const answer = await call({ method: 'POST', path: '/oauth/revoke', form })
    const verdict = classify(answer)
    // A token that was pasted belongs to another client: it cannot be revoked from here.
    if (answer.status === 403 || verdict.kind === 'ok' || verdict.kind === 'reauth') return
    throw new Refusal(verdict, { status: answer.status, code: codeOf(answer.body) })
  }
}

/** One exchange that must succeed. Throws `Refusal`, `upstream_answer_invalid`. */
async function ask (call: Call, request: CallRequest): Promise<RawAnswer> {
  const answer = await call(request)
  const verdict = classify(answer)
  if (verdict.kind !== 'ok') throw new Refusal(verdict, { status: answer.status, code: codeOf(answer.body) })
  if (answer.body === undefined) throw SocialError.upstream_answer_invalid({}, { detail: 'The answer is no JSON.' })
  return answer
}

function pageOf ({ body, headers }: RawAnswer): Page {
  if (!Array.isArray(body)) throw SocialError.upstream_answer_invalid({}, { detail: 'The page is no list.' })
  const items: RemotePost[] = []
  const bad: BadItem[] = []
  body.forEach((raw: unknown, place) => {
    const post = postOf(raw, place)
    if ('pointers' in post) bad.push(post)
    else items.push(post)
  })
  return {
    items,
    bad,
    newestId: idOf(body[0]) ?? items[0]?.remoteId ?? null,
    oldestId: idOf(body.at(-1)) ?? items.at(-1)?.remoteId ?? null,
    // Servers that send no Link at all are read until a page is empty.
    hasOlder: body.length > 0 && (headers['link'] === undefined || /rel="?next"?/.test(headers['link'])),
    limits: limitsOf(headers)
  }
}

/** The id that the cursor goes on from, also where the item itself was refused. */
function idOf (raw: unknown): string | null {
  return isObject(raw) && typeof raw['id'] === 'string' && /^\S{1,200}$/.test(raw['id']) ? raw['id'] : null
}

function limitsOf (headers: Record<string, string>): Limit[] {
  const [limit, remaining] = ['x-ratelimit-limit', 'x-ratelimit-remaining'].map(
    (name) => Number(headers[name] ?? 'none'))
  if (!isCount(limit) || !isCount(remaining)) return []
  const reset = Date.parse(headers['x-ratelimit-reset'] ?? '')
  return [{ key: 'requests', limit, remaining, resetAt: Number.isNaN(reset) ? null : new Date(reset).toISOString() }]
}

function isCount (value: number | undefined): value is number {
  return value !== undefined && Number.isSafeInteger(value) && value >= 0
}

function wordOf (body: unknown, name: string): string {
  const word = isObject(body) ? body[name] : undefined
  if (typeof word === 'string' && word !== '' && word.length <= 4096) return word
  throw SocialError.upstream_answer_invalid({}, { detail: `The answer lacks ${name}.` })
}
