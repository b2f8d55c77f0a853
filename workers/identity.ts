import type { FastifyPluginAsync } from 'fastify'
import { endSession } from '../src/identity/index.ts'

const identity: FastifyPluginAsync = async (app) => {
  app.onEvent(endSession, async ({ data: { userId, sessionId } }) => {
    await app.identity.endRevokedSession(userId, sessionId)
  })
}

export default identity
