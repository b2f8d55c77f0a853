import type { PoolFile } from '../../images.ts'
import type { Post } from '../../posts.ts'
import type { Account, World } from '../../world.ts'

const version = '4.4.8'
const visibility = 'public'

/** Account of Mastodon 4.x. */
export function accountOf (account: Account, origin: string): Record<string, unknown> {
  const picture = `${origin}/avatars/original/missing.png`
  const header = `${origin}/headers/original/missing.png`
  const newest = account.posts.at(-1)
  return {
    id: account.id,
    username: account.username,
    acct: account.username,
    display_name: account.displayName,
    locked: false,
    bot: false,
    discoverable: true,
    indexable: true,
    group: false,
    created_at: new Date(account.createdAt).toISOString(),
    note: account.note,
    url: `${origin}/@${account.username}`,
    uri: `${origin}/users/${account.username}`,
    avatar: picture,
    avatar_static: picture,
    header,
    header_static: header,
    followers_count: account.followers,
    following_count: account.following,
    statuses_count: account.posts.length,
    last_status_at: newest ? new Date(newest.createdAt).toISOString().slice(0, 10) : null,
    hide_collections: false,
    noindex: false,
    emojis: [],
    roles: [],
    fields: []
  }
}

/** CredentialAccount: the account as its owner sees it. */
export function credentialAccountOf (account: Account, origin: string): Record<string, unknown> {
  return {
    ...accountOf(account, origin),
    source: {
      privacy: visibility,
      sensitive: false,
      language: 'en',
      note: textOf(account.note),
      fields: [],
      follow_requests_count: 0,
      hide_collections: false,
      discoverable: true,
      indexable: true,
      attribution_domains: [],
      quote_policy: visibility
    },
    role: { id: '-99', name: '', color: '', permissions: '0', highlighted: false }
  }
}

/** Status of Mastodon 4.x. */
export function statusOf (post: Post, account: Account, world: World, origin: string): Record<string, unknown> {
  const file = post.media === null ? undefined : world.media.get(post.media)
  return {
    id: post.id,
    created_at: new Date(post.createdAt).toISOString(),
    in_reply_to_id: null,
    in_reply_to_account_id: null,
    sensitive: false,
    spoiler_text: '',
    visibility,
    language: post.language,
    uri: `${origin}/users/${account.username}/statuses/${post.id}`,
    url: `${origin}/@${account.username}/${post.id}`,
    replies_count: post.replies,
    reblogs_count: post.reblogs,
    favourites_count: post.favourites,
    quotes_count: 0,
    edited_at: post.editedAt === null ? null : new Date(post.editedAt).toISOString(),
    favourited: false,
    reblogged: false,
    muted: false,
    bookmarked: false,
    pinned: false,
    content: `<p>${escapeHtml(post.text).replaceAll('\n', '<br />')}</p>`,
    filtered: [],
    reblog: null,
    application: { name: 'Web', website: null },
    account: accountOf(account, origin),
    media_attachments: file ? [attachmentOf(file, origin)] : [],
    mentions: [],
    tags: post.tags.map((name) => ({ name, url: `${origin}/tags/${encodeURIComponent(name)}` })),
    emojis: [],
    card: null,
    poll: null
  }
}

function attachmentOf (file: PoolFile, origin: string): Record<string, unknown> {
  const url = `${origin}/media/${file.n}`
  const { width, height } = file
  const original = { width, height, aspect: height === 0 ? 0 : width / height }
  return {
    id: String(file.n),
    type: file.type.startsWith('image/') ? 'image' : 'unknown',
    url,
    preview_url: url,
    remote_url: null,
    meta: { original },
    description: file.name,
    blurhash: null
  }
}

/** Instance (v2) of Mastodon 4.x, shortened to what a client may rely on. */
export function instanceOf (world: World, origin: string): Record<string, unknown> {
  const owner = world.accounts.get(world.actorId)!
  return {
    domain: new URL(origin).host,
    title: 'Stand-in',
    version,
    source_url: 'https://github.com/mastodon/mastodon',
    description: 'A stand-in for tests and demonstrations, on this machine only.',
    usage: { users: { active_month: world.accounts.size } },
    thumbnail: { url: `${origin}/headers/original/missing.png`, blurhash: null, versions: {} },
    icon: [],
    languages: ['en'],
    configuration: {
      urls: { streaming: origin.replace('http', 'ws'), status: null, about: `${origin}/about` },
      accounts: { max_featured_tags: 10, max_pinned_statuses: 5 },
      statuses: { max_characters: 500, max_media_attachments: 4, characters_reserved_per_url: 23 },
      media_attachments: {
        supported_mime_types: ['image/jpeg', 'image/png', 'image/gif', 'image/webp'],
        description_limit: 1500,
        image_size_limit: 16_777_216,
        image_matrix_limit: 33_177_600,
        video_size_limit: 103_809_024,
        video_frame_rate_limit: 120,
        video_matrix_limit: 8_294_400
      },
      polls: { max_options: 4, max_characters_per_option: 50, min_expiration: 300, max_expiration: 2_629_746 },
      translation: { enabled: false }
    },
    registrations: { enabled: false, approval_required: false, message: null, url: null },
    api_versions: { mastodon: 6 },
    contact: { email: 'owner@example.org', account: accountOf(owner, origin) },
    rules: []
  }
}

export const nodeInfoSchema = 'http://nodeinfo.diaspora.software/ns/schema/2.0'

/** NodeInfo 2.0. */
export function nodeInfoOf (world: World): Record<string, unknown> {
  const posts = [...world.accounts.values()].reduce((sum, account) => sum + account.posts.length, 0)
  return {
    version: '2.0',
    software: { name: 'mastodon', version },
    protocols: ['activitypub'],
    services: { outbound: [], inbound: [] },
    usage: { users: { total: world.accounts.size, activeMonth: 1, activeHalfyear: 1 }, localPosts: posts },
    openRegistrations: false,
    metadata: { nodeName: 'Stand-in' }
  }
}

const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

export function escapeHtml (text: string): string {
  return text.replace(/[&<>"']/g, (sign) => escapes[sign]!)
}

function textOf (html: string): string {
  return html.replace(/<[^>]*>/g, '')
}
