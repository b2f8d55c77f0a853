import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { Clock } from '../kernel/index.ts'
import type { Wrapper } from './key-ring.ts'
import type { KeyRepository, PublicJwk, SigningKey } from './repository/keys.ts'

export interface RingKey { kid: string, publicKey: KeyObject, privateKey: KeyObject, activeAt: Date }

/** Keys of access tokens: loaded at first use, asked for again when a token names an unknown one. */
export interface SigningRing {
  current (): Promise<RingKey>
  find (kid: string): Promise<RingKey | undefined>
  /** The public half, as `/.well-known/jwks.json` shows it. */
  jwks (): Promise<{ keys: Array<PublicJwk & { kid: string, alg: string, use: string }> }>
  onChange (listener: () => void): void
}

const reloadEveryMs = 1000

export function createSigningRing (
  { wrapper, keys, clock }: { wrapper: Wrapper, keys: KeyRepository, clock: Clock }
): SigningRing {
  const listeners: Array<() => void> = []
  let loading: Promise<RingKey[]> | undefined
  let loadedAt = 0

  async function load (): Promise<RingKey[]> {
    let rows = await keys.signingKeys()
    if (rows.length === 0) {
      await keys.addSigningKey(makeKey(wrapper, clock.now()))
      rows = await keys.signingKeys()
    }
    for (const listener of listeners) listener()
    return rows.map((row) => openKey(wrapper, row))
  }
  async function ring (isFresh: boolean): Promise<RingKey[]> {
    if (loading === undefined || (isFresh && clock.ms() - loadedAt >= reloadEveryMs)) {
      loadedAt = clock.ms()
      loading = load()
      loading.catch(() => { loading = undefined })
    }
    return await loading
  }
  return {
    async current () {
      const all = await ring(false)
      const key = all.find(({ activeAt }) => activeAt <= clock.now())
      if (key === undefined) throw new Error('no signing key is active')
      return key
    },
    async find (kid) {
      const of = (all: RingKey[]): RingKey | undefined => all.find((key) => key.kid === kid)
      return of(await ring(false)) ?? of(await ring(true))
    },
    async jwks () {
      const all = await ring(false)
      return { keys: all.map(({ kid, publicKey }) => ({ ...publicJwk(publicKey), kid, alg: 'EdDSA', use: 'sig' })) }
    },
    onChange (listener) { listeners.push(listener) }
  }
}

function makeKey (wrapper: Wrapper, now: Date): SigningKey {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const jwk = publicJwk(publicKey)
  // RFC 7638: the thumbprint of the required members in lexical order.
  const kid = createHash('sha256').update(JSON.stringify({ crv: jwk.crv, kty: jwk.kty, x: jwk.x })).digest('base64url')
  const bytes = privateKey.export({ type: 'pkcs8', format: 'der' })
  return {
    kid,
    serial: 1,
    publicJwk: jwk,
    keyId: wrapper.keyId,
    wrapped: wrapper.wrap(bytes, `signing-key ${kid}`),
    createdAt: now,
    activeAt: now
  }
}

function openKey (wrapper: Wrapper, { kid, keyId, wrapped, activeAt }: SigningKey): RingKey {
  const privateKey = createPrivateKey({
    key: wrapper.unwrap(keyId, wrapped, `signing-key ${kid}`), type: 'pkcs8', format: 'der'
  })
  return { kid, privateKey, publicKey: createPublicKey(privateKey), activeAt }
}

function publicJwk (key: KeyObject): PublicJwk {
  const { kty, crv, x } = key.export({ format: 'jwk' })
  return { kty: String(kty), crv: String(crv), x: String(x) }
}
