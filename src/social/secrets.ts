import { isDomainError, type Bus, type Clock, type KeyRing, type Session } from '../kernel/index.ts'
import { SocialError } from './errors.ts'
import type { SecretRepository } from './repository/secrets.ts'

/** What is sealed: one token set of an account. */
export interface TokenSet { accessToken: string }

interface Owner { workspaceId: string, accountId: string }
interface Opened { generation: number, tokens: TokenSet, untilMs: number }

interface Collaborators { secrets: SecretRepository, keyRing: KeyRing, bus: Bus, clock: Clock }

const cacheMs = 60_000
const dropped = 'social.secret-changed'

export type Vault = ReturnType<typeof createVault>

/** The only opener of tokens (`social.md` 4.3): the plain value lives inside `work` and in a cache of a minute. */
export function createVault ({ secrets, keyRing, bus, clock }: Collaborators) {
  const cache = new Map<string, Opened>()
  bus.on(dropped, ({ accountId }) => { cache.delete(String(accountId)) })

  async function open ({ workspaceId, accountId }: Owner): Promise<Opened> {
    const known = cache.get(accountId)
    if (known !== undefined && known.untilMs > clock.ms()) return known
    const secret = await secrets.find(workspaceId, accountId)
    if (secret === undefined) throw SocialError.account_disconnected({ id: accountId })
    const plain = await unseal(keyRing, secret)
    const { generation } = secret
    const opened = { generation, tokens: JSON.parse(plain.toString()) as TokenSet, untilMs: clock.ms() + cacheMs }
    cache.set(accountId, opened)
    return opened
  }

  return {
    /** Calls `work` with the tokens of the account. Throws `account_disconnected`, `secret_unreadable`. */
    async openSecret<T> (owner: Owner, work: (tokens: TokenSet, generation: number) => Promise<T>): Promise<T> {
      const { tokens, generation } = await open(owner)
      return await work(tokens, generation)
    },

    /** Reads the secret anew next time: before a verdict counts, it must have met the current generation. */
    forget (accountId: string): void {
      cache.delete(accountId)
    },

    /** Sealed for exactly this place: workspace, account, generation, field. */
    async seal ({ workspaceId, accountId }: Owner, generation: number, tokens: TokenSet): Promise<Buffer> {
      return await keyRing.seal(
        accountId, Buffer.from(JSON.stringify(tokens)), placeOf(workspaceId, accountId, generation))
    },

    async add (session: Session, owner: Owner, generation: number, sealed: Buffer): Promise<void> {
      await secrets.add(session, { ...owner, generation, sealed, at: clock.now() })
    },

    /** Compare-and-set: false when the generation before is not the current one. */
    async replace (session: Session, owner: Owner, generation: number, sealed: Buffer): Promise<boolean> {
      return await secrets.replace(session, { ...owner, generation, sealed, at: clock.now() })
    },

    async remove (session: Session, { workspaceId, accountId }: Owner, generation: number): Promise<void> {
      await secrets.remove(session, workspaceId, accountId, generation)
    },

    /** Drops the caches of every process; after the commit. */
    announce (accountId: string): void {
      cache.delete(accountId)
      bus.send(dropped, { accountId })
    }
  }
}

async function unseal (
  keyRing: KeyRing,
  { workspaceId, accountId, generation, sealed }: Owner & { generation: number, sealed: Buffer }
): Promise<Buffer> {
  try {
    return await keyRing.open(accountId, sealed, placeOf(workspaceId, accountId, generation))
  } catch (error) {
    if (isDomainError(error, 'identity.key_unknown')) {
      throw SocialError.secret_unreadable(
        { id: accountId }, { cause: error })
    }
    throw error
  }
}

function placeOf (workspaceId: string, accountId: string, generation: number): string {
  return `${workspaceId}|${accountId}|${generation}|tokens`
}
