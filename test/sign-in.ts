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

interface SignInOptions { email?: string, password?: string, client?: 'web' | 'native' }

/** Registers by the mailed code over HTTP; needs a worker (`role: 'both'`), since mails leave by a job. */
export async function signIn (app: FastifyInstance, options: SignInOptions = {}): Promise<SignedIn> {
  const { email = `p${randomBytes(5).toString('hex')}@example.org`, password = 'a long enough passphrase', client = 'native' } = options
  const flow = await post<{ flowId: string }>(app, '/v1/identity/registrations', {
    email, password, displayName: 'Test Person', locale: 'en', zone: 'UTC', workspaceName: 'Test'
  })
  const code = await mailedCode(app, email)
  await post(app, `/v1/identity/registrations/${flow.flowId}/verify`, { code })
  const tokens = await post<Tokens>(app, '/v1/identity/logins', { email, password, client })
  const actor = await app.authenticator().authenticate({ token: tokens.accessToken, requestId: null, ip: '127.0.0.1', userAgent: null })
  return {
    actor,
    email,
    password,
    accessToken: tokens.accessToken,
    refreshToken: tokens.refreshToken ?? '',
    userId: actor.userId ?? '',
    workspaceId: actor.workspaceId,
    headers: { authorization: `Bearer ${tokens.accessToken}` }
  }
}

interface Tokens { accessToken: string, refreshToken?: string }

async function post<T = unknown> (app: FastifyInstance, url: string, payload: object): Promise<T> {
  const answer = await app.inject({ method: 'POST', url, payload })
  if (answer.statusCode >= 400) throw new Error(`${url}: ${answer.statusCode} ${answer.body}`)
  return answer.json()
}

/** The code of the newest captured mail to an address, as soon as it is there. */
export async function mailedCode (app: FastifyInstance, email: string, timeoutMs = 10_000): Promise<string> {
  const mails = app.db.collection<{ to: string, text: string }>('notifications.captured_mails')
  const until = performance.now() + timeoutMs
  for (;;) {
    const mail = await mails.findOne({ to: email }, { sort: { _id: -1 } })
    const code = /\b\d{6}\b/.exec(mail?.text ?? '')?.[0]
    if (code !== undefined) return code
    if (performance.now() > until) throw new Error(`no mail with a code reached ${email} within ${timeoutMs} ms`)
    await new Promise((resolve) => { setTimeout(resolve, 20) })
  }
}
