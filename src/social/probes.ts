import type { Static } from 'typebox'
import type { JobContext, KeyRing } from '../kernel/index.ts'
import { connectorOf, findClient } from './connections.ts'
import { changeHealth } from './health.ts'
import type { disconnectAccount, probeAccount } from './jobs.ts'
import type { ConnectionRepository } from './repository/connections.ts'
import { SignInNeeded, read, storeProfile, type SyncCollaborators } from './sync/index.ts'
import { errorOf } from './verdicts.ts'

type Collaborators = SyncCollaborators & {
  connections: ConnectionRepository, keyRing: KeyRing, publicUrl: () => string
}

export type Probes = ReturnType<typeof createProbes>

/** Reads that are about the account itself, and the end of its token. */
export function createProbes (collaborators: Collaborators) {
  const { accounts, connectors, vault, openCall } = collaborators
  return {
    /** The cheapest authenticated read: keeps the profile, or shows that a sign-in is needed. */
    async probe (ctx: JobContext<Static<typeof probeAccount.data>>): Promise<void> {
      const { workspaceId, accountId, generation } = ctx.run.data
      const account = await accounts.find(workspaceId, accountId)
      if (account === undefined || account.health.state !== 'active' || account.secretGeneration !== generation) return
      const connector = connectorOf(connectors, account.platform)
      try {
        const probe = await read(
          collaborators, { ctx, account, connector }, 'probe', async (call) => await connector.probe(call))
        await storeProfile(collaborators, ctx, account, probe)
      } catch (error) {
        if (!(error instanceof SignInNeeded)) throw error
        await ctx.commit(async (session) => {
          await changeHealth(
            collaborators, session, account, { from: 'active', to: 'needs_reauth', evidence: error.evidence })
        })
      }
    },

    /** Revokes the token at the platform, then forgets it; a token that is newer stays. */
    async disconnect (ctx: JobContext<Static<typeof disconnectAccount.data>>): Promise<void> {
      const { workspaceId, accountId, generation } = ctx.run.data
      const account = await accounts.find(workspaceId, accountId)
      if (account === undefined || account.secretGeneration !== generation) return
      const { platform, instance } = account
      const connector = connectorOf(connectors, platform)
      const client = await findClient(collaborators, platform, instance)
      const owner = { workspaceId, accountId }
      if (client !== undefined) {
        try {
          await vault.openSecret(owner, async ({ accessToken: token }) => {
            await connector.revoke({ token, client }, openCall({ platform, instance, signal: ctx.signal }))
          })
        } catch (error) {
          throw errorOf(error)
        }
      }
      await ctx.commit(async (session) => { await vault.remove(session, owner, generation) })
      vault.announce(accountId)
    }
  }
}
