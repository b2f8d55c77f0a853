import type { FastifyPluginAsync } from 'fastify'
import logins from './logins.ts'
import registrations from './registrations.ts'
import sessions from './sessions.ts'
import tokens from './tokens.ts'
import users from './users.ts'
import workspaces from './workspaces.ts'

const identity: FastifyPluginAsync = async (app) => {
  await app.useCookies(app)
  await app.register(registrations)
  await app.register(logins)
  await app.register(tokens)
  await app.register(users)
  await app.register(sessions)
  await app.register(workspaces)
}

export default identity
