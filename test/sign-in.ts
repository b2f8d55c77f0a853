import { randomBytes } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { Actor } from '../src/kernel/index.ts'

/** Somebody with an own workspace: the actor as routes see it, and what a request needs. */
export interface SignedIn {
  actor: Actor
  email: string
  password: string
  accessToken: string
  refreshToken: string
  userId: string
  workspaceId: string
  headers: { authorization: string }
}

interface SignInOptions {
  email?: string
  password?: string
  /** Role in the own workspace; default `owner`. */
  role?: 'owner' | 'admin' | 'member' | 'guest'
}

/** Registers a person over HTTP; the code is read where the mail would get it from, so no worker is needed. */
export async function signIn (app: FastifyInstance, options: SignInOptions = {}): Promise<SignedIn> {
  const email = options.email ?? `p${randomBytes(5).toString('hex')}@example.org`
  const password = options.password ?? 'a long enough passphrase'
  const flow = await post<{ flowId: string }>(app, '/v1/identity/registrations', {
    email, password, displayName: 'Test Person', locale: 'en', zone: 'UTC', workspaceName: 'Test'
  })
  const code = (await app.identity.codeMail(flow.flowId))?.code
  const made = await post<Registered>(
    app, `/v1/identity/registrations/${flow.flowId}/verify`, { code, client: 'native' }
  )
  if (options.role !== undefined) {
    await app.db.collection('identity.members').updateOne(
      { userId: made.user.id, workspaceId: made.workspace.id }, { $set: { roles: [options.role] } })
  }
  const { accessToken, refreshToken = '' } = made
  const actor = await app.authenticator().authenticate(
    { token: accessToken, requestId: null, ip: '127.0.0.1', userAgent: null }
  )
  return {
    actor,
    email,
    password,
    accessToken,
    refreshToken,
    userId: made.user.id,
    workspaceId: made.workspace.id,
    headers: { authorization: `Bearer ${accessToken}` }
  }
}

interface Registered { user: { id: string }, workspace: { id: string }, accessToken: string, refreshToken?: string }

async function post<T = unknown> (app: FastifyInstance, url: string, payload: object): Promise<T> {
  const answer = await app.inject({ method: 'POST', url, payload })
  if (answer.statusCode >= 400) throw new Error(`${url}: ${answer.statusCode} ${answer.body}`)
  return answer.json()
}
