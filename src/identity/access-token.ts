import { SignJWT, decodeProtectedHeader, errors, jwtVerify } from 'jose'
import { uuidv7, type Clock } from '../kernel/index.ts'
import { IdentityError } from './errors.ts'
import { createLru } from './lru.ts'
import type { SigningRing } from './signing-ring.ts'

/** Claims (`identity.md` 4.2): `sg` generation of the session, `rc` refresh counter; times in seconds. */
export interface AccessClaims {
  readonly sub: string
  readonly wid: string
  readonly sid: string
  readonly sg: number
  readonly rc: number
  readonly jti: string
  readonly iat: number
  readonly exp: number
  readonly pv: number
  readonly amr: readonly string[]
  readonly auth_time: number
}

export type NewAccessToken = Omit<AccessClaims, 'jti' | 'iat' | 'exp'>

export const accessTokenLifeS = 600
const toleranceS = 5
const cachedMs = 60_000
const longest = 4096
/** 192 bits of the signature: one look-up, where the hash of a whole token would cost more than all the rest. */
const keyLength = 32
const issuer = 'switchyard'
const audience = 'switchyard:api'
const compact = /^[\w-]+\.[\w-]+\.[\w-]+$/
const requiredClaims = ['sub', 'wid', 'sid', 'sg', 'rc', 'jti', 'iat', 'exp', 'pv', 'amr', 'auth_time']

export interface AccessTokens {
  sign (claims: NewAccessToken): Promise<string>
  /** Throws `token_invalid`, `token_expired`. */
  verify (token: string): Promise<AccessClaims>
  /** The claims of a token that was verified lately, from memory. */
  known (token: string, nowMs: number): AccessClaims | undefined
}

/** A verified token with its claims. It is found by the end of its signature and counts only as a whole. */
interface Verified { token: string, claims: AccessClaims }

export function createAccessTokens ({ ring, clock }: { ring: SigningRing, clock: Clock }): AccessTokens {
  const verified = createLru<Verified>(5000)
  ring.onChange(() => { verified.clear() })

  async function check (token: string): Promise<AccessClaims> {
    const key = await ring.find(kidOf(token))
    if (key === undefined) throw IdentityError.token_invalid()
    try {
      const { payload } = await jwtVerify(token, key.publicKey, {
        algorithms: ['EdDSA'],
        typ: 'at+jwt',
        issuer,
        audience,
        clockTolerance: toleranceS,
        requiredClaims,
        currentDate: clock.now()
      })
      return Object.freeze(payload as unknown as AccessClaims)
    } catch (cause) {
      if (cause instanceof errors.JWTExpired) throw IdentityError.token_expired()
      throw IdentityError.token_invalid({}, { cause })
    }
  }
  function known (token: string, nowMs: number): AccessClaims | undefined {
    const found = verified.get(keyOf(token), nowMs)
    return found !== undefined && found.token === token ? found.claims : undefined
  }

  return {
    async sign (claims) {
      const { kid, privateKey } = await ring.current()
      const now = Math.floor(clock.ms() / 1000)
      return await new SignJWT({ ...claims, amr: [...claims.amr], jti: uuidv7(clock.ms()) })
        .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid })
        .setIssuer(issuer).setAudience(audience).setIssuedAt(now).setExpirationTime(now + accessTokenLifeS)
        .sign(privateKey)
    },
    async verify (token) {
      if (token.length > longest || !compact.test(token)) throw IdentityError.token_invalid()
      const now = clock.ms()
      const seen = known(token, now)
      if (seen !== undefined) return seen
      const claims = await check(token)
      verified.set(keyOf(token), { token, claims }, Math.min((claims.exp + toleranceS) * 1000, now + cachedMs))
      return claims
    },
    known
  }
}

function keyOf (token: string): string { return token.slice(-keyLength) }

/** Only these three members: `jku`, `x5u`, `jwk`, `crit` and whatever comes next are refused unread. */
function kidOf (token: string): string {
  try {
    const { alg, typ, kid, ...rest } = decodeProtectedHeader(token)
    if (alg === 'EdDSA' && typ === 'at+jwt' && typeof kid === 'string' && Object.keys(rest).length === 0) return kid
  } catch (cause) {
    throw IdentityError.token_invalid({}, { cause })
  }
  throw IdentityError.token_invalid()
}
