import { definePermissions, type Actor } from '../kernel/index.ts'
import { SocialError } from './errors.ts'
import type { AccountRepository, StoredAccount } from './repository/accounts.ts'
import type { AssetRepository, StoredAsset } from './repository/assets.ts'
import type { ConnectionRepository, StoredConnection } from './repository/connections.ts'
import type { PostRepository, StoredPost } from './repository/posts.ts'

export const permissions = definePermissions('social', {
  'account:read': {
    kind: 'read', roles: ['owner', 'admin', 'member', 'guest'], sentence: 'See tracked accounts and their posts.'
  },
  'account:write': {
    kind: 'write', roles: ['owner', 'admin', 'member'], sentence: 'Change and sync tracked accounts.'
  },
  'account:connect': { kind: 'write', roles: ['owner', 'admin'], sentence: 'Connect and disconnect accounts.' },
  'asset:fetch': { kind: 'write', roles: ['owner', 'admin', 'member'], sentence: 'Fetch a media file again.' }
})

export type SocialAccess = ReturnType<typeof createSocialAccess>

interface Repositories {
  accounts: AccountRepository
  assets: AssetRepository
  connections: ConnectionRepository
  posts: PostRepository
}

/** The only way to an entity for an actor: what is foreign is missing. */
export function createSocialAccess ({ accounts, assets, connections, posts }: Repositories) {
  return {
    /** Throws `account_not_found`. */
    async account ({ workspaceId }: Actor, id: string): Promise<StoredAccount> {
      const account = await accounts.find(workspaceId, id)
      if (account === undefined) throw SocialError.account_not_found({ id })
      return account
    },
    /** Throws `post_not_found`. */
    async post ({ workspaceId }: Actor, id: string): Promise<StoredPost> {
      const post = await posts.find(workspaceId, id)
      if (post === undefined) throw SocialError.post_not_found({ id })
      return post
    },
    /** Throws `asset_not_found`. */
    async asset ({ workspaceId }: Actor, id: string): Promise<StoredAsset> {
      const asset = await assets.find(workspaceId, id)
      if (asset === undefined) throw SocialError.asset_not_found({ id })
      return asset
    },
    /** Throws `connection_not_found`. */
    async connection ({ workspaceId }: Actor, id: string): Promise<StoredConnection> {
      const connection = await connections.find(workspaceId, id)
      if (connection === undefined) throw SocialError.connection_not_found({ id })
      return connection
    }
  }
}
