import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ClientFacts, TokenPair } from '../../src/identity/index.ts'

export const refreshCookie = '__Host-sy_rt'
const cookie = { path: '/', httpOnly: true, secure: true, sameSite: 'strict' } as const
const sixtyDaysS = 60 * 86_400

/** Web clients get the refresh token as a cookie no script can read, native ones in the body. */
export function tokensFor (reply: FastifyReply, client: ClientFacts['client'], { refreshToken, ...tokens }: TokenPair) {
  void reply.header('cache-control', 'no-store')
  if (client === 'native') return { ...tokens, refreshToken }
  void reply.setCookie(refreshCookie, refreshToken, { ...cookie, maxAge: sixtyDaysS })
  return tokens
}

export function forgetCookie (reply: FastifyReply): void {
  void reply.clearCookie(refreshCookie, cookie)
}

export function factsOf (
  request: FastifyRequest, { client = 'web', deviceName }: { client?: ClientFacts['client'], deviceName?: string }
): ClientFacts {
  const userAgent = request.headers['user-agent']?.slice(0, 256) ?? null
  return { client, deviceName: deviceName ?? null, ip: request.ip, userAgent }
}
