import type { FastifyRequest } from 'fastify'
import type { Answer } from '../../delivery.ts'
import type { Call, Endpoint, Ground } from '../../face.ts'
import { challengeOf, type App, type Code, type Token } from '../../world.ts'
import { escapeHtml } from './shapes.ts'

const codeLifeMs = 60_000
const outOfBand = 'urn:ietf:wg:oauth:2.0:oob'
const knownScopes = /^(?:(?:admin:)?(?:read|write)(?::[a-z_]+)?|follow|push|profile)$/

type Params = Record<string, unknown>

/** Registration, consent, exchange and revocation, stricter than the original where that finds mistakes sooner. */
export function oauthEndpoints (ground: Ground): Endpoint[] {
  return [
    {
      method: 'POST',
      url: '/api/v1/apps',
      operation: 'apps.create',
      isLimited: true,
      answer: ({ request }) => register(ground, paramsOf(request))
    },
    {
      method: 'GET',
      url: '/oauth/authorize',
      operation: 'oauth.authorize',
      answer: ({ request }) => authorize(ground, request.query as Params, 'page')
    },
    {
      method: 'POST',
      url: '/oauth/authorize',
      operation: 'oauth.consent',
      answer: ({ request }) => authorize(ground, paramsOf(request), 'consent')
    },
    {
      method: 'POST',
      url: '/oauth/token',
      operation: 'oauth.token',
      isLimited: true,
      answer: ({ request }) => exchange(ground, request)
    },
    {
      method: 'POST',
      url: '/oauth/revoke',
      operation: 'oauth.revoke',
      isLimited: true,
      answer: ({ request }) => revoke(ground, request)
    }
  ]
}

/** The token if it lives and has one of the scopes, else the refusal. */
export function admit ({ request, token }: Call, scopes: string[]): Token | Answer {
  if (request.headers.authorization === undefined) return refuse(401, 'This API requires an authenticated user')
  if (token === null) return refuse(401, 'The access token is invalid')
  if (token.isRevoked) return refuse(401, 'The access token was revoked')
  if (token.refusals > 0) {
    token.refusals -= 1
    return refuse(401, 'The access token is invalid')
  }
  if (scopes.some((scope) => token.scopes.includes(scope))) return token
  return refuse(403, 'This action is outside the authorized scopes')
}

export function isAnswer (given: Token | Answer): given is Answer {
  return 'status' in given
}

function refuse (status: number, error: string): Answer {
  return { status, body: { error }, headers: { 'www-authenticate': `Bearer realm="Doorkeeper", error="${error}"` } }
}

function paramsOf (request: FastifyRequest): Params {
  return typeof request.body === 'object' && request.body !== null ? request.body as Params : {}
}

function textOf (params: Params, name: string): string | null {
  const value = params[name]
  return typeof value === 'string' && value !== '' ? value : null
}

function register ({ world }: Ground, params: Params): Answer {
  const name = textOf(params, 'client_name')
  const written = params['redirect_uris']
  const redirectUris = Array.isArray(written) ? written : typeof written === 'string' ? written.split(/\s+/) : []
  const scopes = (textOf(params, 'scopes') ?? 'read').split(' ')
  if (!name) return unprocessable("Validation failed: Application name can't be blank")
  if (redirectUris.length === 0 || !redirectUris.every(isRedirectUri)) {
    return unprocessable('Validation failed: Redirect URI must be an absolute URI.')
  }
  if (!scopes.every((scope) => knownScopes.test(scope))) {
    return unprocessable("Validation failed: Scopes doesn't match configured on the server.")
  }
  const app = world.registerApp({ name, website: textOf(params, 'website'), redirectUris, scopes })
  return {
    status: 200,
    body: {
      id: app.id,
      name,
      website: app.website,
      scopes,
      redirect_uris: redirectUris,
      redirect_uri: redirectUris.join('\n'),
      client_id: app.clientId,
      client_secret: app.clientSecret,
      client_secret_expires_at: 0,
      vapid_key: ''
    }
  }
}

function unprocessable (error: string): Answer {
  return { status: 422, body: { error } }
}

function isRedirectUri (uri: unknown): uri is string {
  if (typeof uri !== 'string') return false
  if (uri === outOfBand) return true
  return URL.canParse(uri) && /^https?:$/.test(new URL(uri).protocol) && !uri.includes('#')
}

/** Errors about the client or the address are shown; all others go back by the redirect (RFC 6749, 4.1.2.1). */
function authorize (ground: Ground, params: Params, step: 'page' | 'consent'): Answer {
  const app = ground.world.apps.get(textOf(params, 'client_id') ?? '')
  if (!app) return page(401, '<p>Client authentication failed due to unknown client.</p>')
  const redirectUri = textOf(params, 'redirect_uri')
  if (!redirectUri || !app.redirectUris.includes(redirectUri)) {
    return page(400, '<p>The redirect uri included is not valid.</p>')
  }
  const back = (answer: Record<string, string>) => redirect(redirectUri, { ...answer, ...stateOf(params) })
  const error = mistakeIn(params, app)
  if (error) return back(error)
  if (step === 'page' && params['demo'] === 'deny') return back(denied)
  if (step === 'page' && params['demo'] !== '1') return consentPage(params, app)
  const { code } = ground.world.issueCode({
    clientId: app.clientId,
    redirectUri,
    scopes: scopesOf(params),
    challenge: textOf(params, 'code_challenge')!,
    accountId: ground.world.actorId
  })
  return back({ code })
}

const denied = {
  error: 'access_denied',
  error_description: 'The resource owner or authorization server denied the request.'
}

function stateOf (params: Params): Record<string, string> {
  const state = textOf(params, 'state')
  return state ? { state } : {}
}

function scopesOf (params: Params): string[] {
  return (textOf(params, 'scope') ?? 'read').split(' ')
}

function mistakeIn (params: Params, app: App): { error: string, error_description: string } | null {
  const because = (error: string, description: string) => ({ error, error_description: description })
  if (params['response_type'] !== 'code') {
    return because('unsupported_response_type', 'The authorization server does not support this response type.')
  }
  if (!scopesOf(params).every((scope) => app.scopes.includes(scope))) {
    return because('invalid_scope', 'The requested scope is invalid, unknown, or malformed.')
  }
  if (!textOf(params, 'state')) return because('invalid_request', 'Missing required parameter: state.')
  if (params['code_challenge_method'] !== 'S256') {
    return because('invalid_request', 'The code challenge method must be S256.')
  }
  if (!/^[\w-]{43}$/.test(textOf(params, 'code_challenge') ?? '')) {
    return because('invalid_request', 'Code challenge is required.')
  }
  return null
}

function redirect (uri: string, answer: Record<string, string>): Answer {
  if (uri === outOfBand) return page(200, `<p><code>${escapeHtml(answer['code'] ?? answer['error']!)}</code></p>`)
  const target = new URL(uri)
  for (const [name, value] of Object.entries(answer)) target.searchParams.set(name, value)
  return { status: 302, headers: { location: target.href } }
}

function page (status: number, html: string): Answer {
  return {
    status,
    headers: { 'content-type': 'text/html; charset=utf-8' },
    body: `<!doctype html><html lang="en"><meta charset="utf-8"><title>Stand-in</title><main>${html}</main></html>\n`
  }
}

function consentPage (params: Params, app: App): Answer {
  const fields = Object.entries(params)
    .filter((field): field is [string, string] => typeof field[1] === 'string')
    .map(([name, value]) => `<input type="hidden" name="${escapeHtml(name)}" value="${escapeHtml(value)}">`)
  return page(200, `<h1>${escapeHtml(app.name)}</h1><p>It asks for: ${escapeHtml(scopesOf(params).join(', '))}.</p>` +
    `<form method="post" action="/oauth/authorize">${fields.join('')}<button type="submit">Authorize</button></form>`)
}

/** The client that proved itself, by its fields or by Basic (RFC 6749, 2.3.1). */
function clientOf ({ world }: Ground, request: FastifyRequest): App | null {
  const params = paramsOf(request)
  const basic = /^Basic +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
  const [id, secret] = basic
    ? Buffer.from(basic, 'base64').toString().split(':').map(decodeURIComponent)
    : [textOf(params, 'client_id'), textOf(params, 'client_secret')]
  const app = world.apps.get(id ?? '')
  return app && app.clientSecret === secret ? app : null
}

function exchange (ground: Ground, request: FastifyRequest): Answer {
  const params = paramsOf(request)
  const app = clientOf(ground, request)
  if (!app) return oauthError(401, 'invalid_client', 'Client authentication failed.')
  if (params['grant_type'] !== 'authorization_code') {
    return oauthError(400, 'unsupported_grant_type', 'The authorization grant type is not supported.')
  }
  const code = ground.world.codes.get(textOf(params, 'code') ?? '')
  const isGood = code !== undefined && isRedeemable(code, params, app, ground.now())
  // A code that was shown is spent, whatever came of it.
  if (code?.clientId === app.clientId) code.isUsed = true
  if (!isGood) return oauthError(400, 'invalid_grant', 'The provided authorization grant is invalid or expired.')
  const { accountId, scopes } = code
  const token = ground.world.issueToken({ clientId: app.clientId, accountId, scopes })
  return {
    status: 200,
    headers: { 'cache-control': 'no-store' },
    body: {
      access_token: token.accessToken,
      token_type: 'Bearer',
      scope: scopes.join(' '),
      created_at: Math.floor(token.issuedAt / 1000)
    }
  }
}

function isRedeemable (code: Code, params: Params, app: App, now: number): boolean {
  const verifier = textOf(params, 'code_verifier') ?? ''
  return !code.isUsed && code.clientId === app.clientId && now < code.issuedAt + codeLifeMs &&
    textOf(params, 'redirect_uri') === code.redirectUri &&
    /^[\w.~-]{43,128}$/.test(verifier) && challengeOf(verifier) === code.challenge
}

function oauthError (status: number, error: string, description: string): Answer {
  return { status, headers: { 'cache-control': 'no-store' }, body: { error, error_description: description } }
}

function revoke (ground: Ground, request: FastifyRequest): Answer {
  const app = clientOf(ground, request)
  const token = ground.world.tokens.get(textOf(paramsOf(request), 'token') ?? '')
  if (!app || (token && token.clientId !== app.clientId)) {
    return oauthError(403, 'unauthorized_client', 'You are not authorized to revoke this token')
  }
  if (token && !token.isRevoked) ground.world.revoke(token)
  return { status: 200, body: {} }
}
