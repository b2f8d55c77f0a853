import { randomBytes } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { uuidv7, type Actor } from '../../src/kernel/index.ts'

/** Somebody with a session, made without the cost of a password hash or a mail. */
export interface QuickPerson {
  actor: Actor
  email: string
  userId: string
  workspaceId: string
  accessToken: string
  refreshToken: string
  headers: { authorization: string }
}

interface QuickOptions {
  email?: string
  roles?: string[]
  /** Joins this workspace; without it an own one is made. */
  workspaceId?: string
}

interface Rows { _id: string, [field: string]: unknown }

/** Writes user, workspace and membership as a registration leaves them, and opens a session. */
export async function quickSignIn (app: FastifyInstance, options: QuickOptions = {}): Promise<QuickPerson> {
  const { email = `q${randomBytes(6).toString('hex')}@example.org`, roles = ['owner'] } = options
  const now = app.clock.now()
  const userId = uuidv7()
  const workspaceId = options.workspaceId ?? uuidv7()
  await app.db.collection<Rows>('identity.users').insertOne({
    _id: userId, email, emailKey: email, displayName: 'Quick Person', locale: 'en', zone: 'UTC', kind: 'person',
    status: 'active', emailVerifiedAt: now, pv: 1, pvChangedAt: now, createdAt: now
  })
  if (options.workspaceId === undefined) {
    await app.db.collection<Rows>('identity.workspaces').insertOne({
      _id: workspaceId, name: 'Quick', slug: `quick-${workspaceId}`, status: 'active', createdAt: now
    })
  }
  await app.db.collection<Rows>('identity.members').insertOne({
    _id: uuidv7(), workspaceId, userId, roles, status: 'active', joinedAt: now
  })
  const { accessToken, refreshToken } = await app.identity.openSession({
    userId, workspaceId, pv: 1, amr: ['pwd'], mustChangePassword: false, facts: {
      client: 'native', deviceName: null, ip: null, userAgent: null
    }
  })
  const actor = await app.authenticator().authenticate({
    token: accessToken, requestId: null, ip: null, userAgent: null
  })
  return {
    actor, email, userId, workspaceId, accessToken, refreshToken, headers: { authorization: `Bearer ${accessToken}` }
  }
}
