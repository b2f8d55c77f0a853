import { Type, type Static } from 'typebox'
import { Nullable, OneOf } from '../../kernel/schemas.ts'
import {
  MetricsSchema, ProfileSchema, assetKinds, postKinds, type Counts, type Limit, type Platform, type Profile
} from '../schemas.ts'

/** One answer of a platform, body parsed; `body` is undefined where it is no JSON. */
export interface RawAnswer { status: number, headers: Record<string, string>, body: unknown }

export interface CallRequest {
  method?: 'GET' | 'POST'
  /** Path and query below the instance. */
  path: string
  form?: Record<string, string>
  /** Sends the opened token. */
  isAuthorized?: boolean
}

/** One HTTP exchange with the instance: safe fetch behind the breaker of the instance. */
export type Call = (request: CallRequest) => Promise<RawAnswer>

/** What an answer means for the account. Waiting and repeating are the caller's. */
export type Verdict =
  | { kind: 'ok' | 'retry' | 'reauth' | 'scope' | 'restricted' | 'gone' | 'invalid' | 'unknown' }
  | { kind: 'wait', waitMs: number }

/** An answer that is no result, with what the table of the platform says about it. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly verdict: Verdict
  readonly status: number
  readonly code: string | null

  constructor (verdict: Verdict, { status, code }: { status: number, code: string | null }) {
    super(`the platform answered ${status}: ${verdict.kind}`)
    this.verdict = verdict
    this.status = status
    this.code = code
  }
}

export interface Client { clientId: string, clientSecret: string }

export interface Connected { accessToken: string, scopes: string[] }

/** A profile as the platform tells it now, and who it is. */
export interface Probe { remoteId: string, kind: string, profile: Profile, counts: Partial<Counts>, limits: Limit[] }

const closed = { additionalProperties: false }
const address = Type.String({ maxLength: 2083, pattern: '^https?://' })

export const RemoteAttachmentSchema = Type.Object({
  remoteId: Type.String({ minLength: 1, maxLength: 200 }),
  remoteUrl: address,
  previewUrl: Nullable(address),
  kind: OneOf(assetKinds),
  alt: Nullable(Type.String({ maxLength: 10_000 })),
  width: Nullable(Type.Integer({ minimum: 0 })),
  height: Nullable(Type.Integer({ minimum: 0 })),
  durationMs: Nullable(Type.Integer({ minimum: 0 }))
}, closed)
export type RemoteAttachment = Static<typeof RemoteAttachmentSchema>

/** The one shape in which every connector returns a post. Ids are strings: they exceed 2^53. */
export const RemotePostSchema = Type.Object({
  remoteId: Type.String({ minLength: 1, maxLength: 200, pattern: '^[^\\s\\x00-\\x1f]+$' }),
  url: Nullable(address),
  kind: OneOf(postKinds),
  publishedAt: Type.String({ pattern: '^[0-9]{4}-.+Z$', maxLength: 32 }),
  editedAt: Nullable(Type.String({ pattern: '^[0-9]{4}-.+Z$', maxLength: 32 })),
  text: Type.String({ maxLength: 200_000 }),
  language: Nullable(Type.String({ maxLength: 64 })),
  tags: Type.Array(Type.String({ minLength: 1, maxLength: 200 }), { maxItems: 200 }),
  mentions: Type.Array(Type.String({ maxLength: 300 }), { maxItems: 200 }),
  links: Type.Array(address, { maxItems: 200 }),
  replyTo: Nullable(Type.String({ maxLength: 200 })),
  repostOf: Nullable(Type.String({ maxLength: 200 })),
  isSensitive: Type.Boolean(),
  metrics: MetricsSchema,
  attachments: Type.Array(RemoteAttachmentSchema, { maxItems: 50 })
}, closed)
export type RemotePost = Static<typeof RemotePostSchema>

export const RemoteProfileSchema = Type.Object({
  remoteId: Type.String({ minLength: 1, maxLength: 200, pattern: '^[^\\s\\x00-\\x1f]+$' }),
  profile: Type.Object(ProfileSchema.properties, closed)
}, closed)

export interface BadItem { place: number, pointers: string[] }

export interface Page {
  items: RemotePost[]
  /** Items that were refused, by place, with the pointers to what is wrong in them. */
  bad: BadItem[]
  newestId: string | null
  oldestId: string | null
  hasOlder: boolean
  limits: Limit[]
}

/** `before` reads back in time, `after` forward; none is the newest page. */
export interface PageCursor { before?: string, after?: string }

export interface AccountView { remoteId: string, scopes: readonly string[] }

/** The adapter that reads one platform. One call of a method is one HTTP exchange; nothing here repeats or waits. */
export interface Connector {
  platform: Platform
  neededScopes: readonly string[]
  /** Registers this installation as a client of the instance. */
  register (input: { redirectUri: string, name: string, website: string }, call: Call): Promise<Client>
  /** Where the person goes to sign in; no exchange. */
  begin (input: { instance: string, client: Client, redirectUri: string, state: string, challenge: string }): string
  complete (
    input: { code: string, verifier: string, redirectUri: string, client: Client }, call: Call): Promise<Connected>
  /** Scopes that are needed and were not granted. */
  missingScopes (granted: readonly string[]): string[]
  /** The cheapest read that needs the token. */
  probe (call: Call): Promise<Probe>
  readPosts (cursor: PageCursor, account: AccountView, call: Call, limit?: number): Promise<Page>
  /** One post by its id, read anew; null where the platform has it no more. */
  readPost (remoteId: string, call: Call): Promise<RemotePost | null>
  revoke (input: { token: string, client: Client }, call: Call): Promise<void>
  classify (answer: RawAnswer): Verdict
}
