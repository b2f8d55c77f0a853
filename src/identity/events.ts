import { Type } from 'typebox'
import { defineEvent, defineSubscriber } from '../kernel/index.ts'
import { Id, OneOf } from '../kernel/schemas.ts'
import { revocationReasons } from './repository/index.ts'

const closed = { additionalProperties: false }

export const userCreated = defineEvent({
  name: 'identity.user.created',
  data: Type.Object({ userId: Id, locale: Type.String({ maxLength: 35 }) }, closed)
})

export const workspaceCreated = defineEvent({
  name: 'identity.workspace.created',
  data: Type.Object({ workspaceId: Id, userId: Id }, closed)
})

export const sessionOpened = defineEvent({
  name: 'identity.session.opened',
  data: Type.Object({ sessionId: Id, userId: Id, client: OneOf(['web', 'native']) }, closed)
})

export const sessionRevoked = defineEvent({
  name: 'identity.session.revoked',
  data: Type.Object({ sessionId: Id, userId: Id, reason: OneOf(revocationReasons) }, closed)
})

/** The code stands sealed in the flow and is opened where the mail is rendered, nowhere else. */
export const codeRequested = defineEvent({
  name: 'identity.code.requested',
  data: Type.Object({ flowId: Id, purpose: OneOf(['register']) }, closed)
})

/** Ends a revoked session in Redis and at the sockets again, where the process died after its commit. */
export const endSession = defineSubscriber({ name: 'identity.end-session', event: sessionRevoked, lane: 'interactive' })
