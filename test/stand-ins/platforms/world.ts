import { createHash, randomBytes } from 'node:crypto'
import type { WorldClock } from './clock.ts'
import { readImages, type PoolFile } from './images.ts'
import type { Ledger } from './ledger.ts'
import { compareIds, languageOf, readPosts, tagsOf, type Post } from './posts.ts'

export interface Account {
  id: string
  username: string
  displayName: string
  note: string
  createdAt: number
  followers: number
  following: number
  /** Ascending by id. */
  posts: Post[]
}

export interface App {
  id: string
  clientId: string
  clientSecret: string
  name: string
  website: string | null
  redirectUris: string[]
  scopes: string[]
}

export interface Code {
  code: string
  clientId: string
  redirectUri: string
  scopes: string[]
  challenge: string
  accountId: string
  issuedAt: number
  isUsed: boolean
}

/** `refusals` is how many more times a live token is refused; Infinity for good. */
export interface Token {
  accessToken: string
  clientId: string | null
  accountId: string
  scopes: string[]
  issuedAt: number
  isRevoked: boolean
  refusals: number
}

/** Fields of a post that a test or the script may choose; the rest follows the rules of the content. */
export type NewPost = Partial<Pick<Post, 'text' | 'media' | 'language' | 'replies' | 'reblogs' | 'favourites'>>

export interface WorldOptions {
  /** The newest 600 posts with their 60 files. */
  small?: boolean | undefined
  posts?: Post[] | undefined
  images?: PoolFile[] | undefined
}

export type World = ReturnType<typeof createWorld>

const smallPosts = 600
const actorId = '109348220146500281'

/** The one in-memory world behind all faces. */
export function createWorld ({ clock, ledger, ...first }: { clock: WorldClock, ledger: Ledger } & WorldOptions) {
  const accounts = new Map<string, Account>()
  const apps = new Map<string, App>()
  const codes = new Map<string, Code>()
  const tokens = new Map<string, Token>()
  const media = new Map<number, PoolFile>()
  let texts: string[] = []

  function fill ({ small = false, posts = readPosts(), images = readImages() }: WorldOptions) {
    for (const map of [accounts, apps, codes, tokens, media]) map.clear()
    const kept = small ? posts.slice(-smallPosts) : [...posts]
    texts = posts.map((post) => post.text)
    const used = new Set(kept.map((post) => post.media))
    for (const file of images) if (!small || used.has(file.n)) media.set(file.n, file)
    accounts.set(actorId, { ...actor, posts: kept.map((post) => ({ ...post })) })
  }
  fill(first)

  const account = (id: string) => accounts.get(id)
  const record = (operation: string, account: string, remoteId: string, effect: 'published' | 'updated' | 'deleted') =>
    ledger.record({ face: 'mastodon', account, operation, remoteId, effect })

  return {
    accounts,
    apps,
    codes,
    tokens,
    media,
    actorId,
    reset: fill,

    addAccount ({ id, username }: { id: string, username: string }): Account {
      const made = { ...actor, id, username, displayName: username, posts: [] }
      accounts.set(id, made)
      return made
    },

    addMedia (file: PoolFile) { media.set(file.n, file) },

    registerApp (app: Omit<App, 'id' | 'clientId' | 'clientSecret'>): App {
      const made = { ...app, id: String(apps.size + 1), clientId: secret(), clientSecret: secret() }
      apps.set(made.clientId, made)
      return made
    },

    issueCode (code: Omit<Code, 'code' | 'issuedAt' | 'isUsed'>): Code {
      const made = { ...code, code: secret(), issuedAt: clock.now(), isUsed: false }
      codes.set(made.code, made)
      return made
    },

    issueToken (token: Pick<Token, 'clientId' | 'accountId' | 'scopes'>): Token {
      const made = { ...token, accessToken: secret(), issuedAt: clock.now(), isRevoked: false, refusals: 0 }
      const operation = token.clientId === null ? 'control.tokens' : 'oauth.token'
      ledger.record({ face: 'mastodon', account: token.accountId, operation, remoteId: null, effect: 'granted' })
      tokens.set(made.accessToken, made)
      return made
    },

    revoke (token: Token) {
      ledger.record({
        face: 'mastodon', account: token.accountId, operation: 'oauth.revoke', remoteId: null, effect: 'revoked'
      })
      token.isRevoked = true
    },

    /** Publishes posts now; where none is given, `count` posts repeat the texts of index 0 and on. */
    publish (accountId: string, posts: NewPost[]): Post[] {
      const { posts: all } = account(accountId)!
      return posts.map((given, place) => {
        const post = composed({ text: texts[place % texts.length] ?? '', ...given }, all.at(-1), clock.now())
        record('posts.publish', accountId, post.id, 'published')
        all.push(post)
        return post
      })
    },

    edit (accountId: string, id: string, change: NewPost): Post | null {
      const post = account(accountId)?.posts.find((post) => post.id === id)
      if (!post) return null
      record('posts.edit', accountId, id, 'updated')
      Object.assign(post, change)
      if (change.text !== undefined) Object.assign(post, { tags: tagsOf(change.text), editedAt: clock.now() })
      return post
    },

    remove (accountId: string, id: string): boolean {
      const posts = account(accountId)?.posts ?? []
      const place = posts.findIndex((post) => post.id === id)
      if (place < 0) return false
      record('posts.remove', accountId, id, 'deleted')
      posts.splice(place, 1)
      return true
    },

    /** A page of an account's posts, newest first. `hasOlder` tells whether older ones exist below it. */
    page (accountId: string, { limit, maxId, minId, sinceId, keep }: PageQuery): { posts: Post[], hasOlder: boolean } {
      const posts = keep ? account(accountId)!.posts.filter(keep) : account(accountId)!.posts
      const above = minId ?? sinceId
      const from = above === undefined ? 0 : firstAbove(posts, above)
      const to = maxId === undefined ? posts.length : firstNotBelow(posts, maxId)
      // min_id asks for the posts next to it, since_id and max_id for the newest ones.
      const [start, end] = minId === undefined
        ? [Math.max(from, to - limit), to]
        : [from, Math.min(from + limit, to)]
      return { posts: posts.slice(start, end).reverse(), hasOlder: start > 0 && start < end }
    }
  }
}

export interface PageQuery {
  limit: number
  maxId?: string | undefined
  minId?: string | undefined
  sinceId?: string | undefined
  keep?: ((post: Post) => boolean) | undefined
}

const actor: Omit<Account, 'posts'> = {
  id: actorId,
  username: 'actor',
  displayName: 'Actor',
  note: '<p>Three years of public posts, as the stand-in tells them.</p>',
  createdAt: Date.UTC(2014, 7, 14),
  followers: 94_812,
  following: 621
}

function composed (given: NewPost & { text: string }, last: Post | undefined, createdAt: number): Post {
  const index = last ? last.index + 1 : 0
  return {
    replies: 0,
    reblogs: 0,
    favourites: 0,
    media: null,
    language: languageOf(index),
    ...given,
    index,
    id: String(BigInt(last?.id ?? '100000000000000000') + 1n),
    createdAt,
    editedAt: null,
    tags: tagsOf(given.text)
  }
}

const secret = () => randomBytes(32).toString('base64url')

/** S256 of RFC 7636. */
export function challengeOf (verifier: string): string {
  return createHash('sha256').update(verifier).digest('base64url')
}

/** Place of the first post whose id is greater than `id`. */
function firstAbove (posts: Post[], id: string): number {
  const place = posts.findIndex((post) => compareIds(post.id, id) > 0)
  return place < 0 ? posts.length : place
}

/** Place of the first post whose id is not smaller than `id`. */
function firstNotBelow (posts: Post[], id: string): number {
  const place = posts.findIndex((post) => compareIds(post.id, id) >= 0)
  return place < 0 ? posts.length : place
}
