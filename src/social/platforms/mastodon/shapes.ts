import { Compile } from 'typebox/compile'
import {
  RemotePostSchema, RemoteProfileSchema, type BadItem, type Probe, type RemoteAttachment, type RemotePost
} from '../../connectors/port.ts'
import type { Counts, Limit, Metrics } from '../../schemas.ts'
import { cleanText, plainTextOf } from './text.ts'

type Raw = Record<string, unknown>

const checkPost = Compile(RemotePostSchema)
const checkProfile = Compile(RemoteProfileSchema)

/** Where a field of ours comes from: a pointer in a refusal names the platform's field. */
const origins: Record<string, string> = {
  remoteId: 'id',
  publishedAt: 'created_at',
  editedAt: 'edited_at',
  text: 'content',
  isSensitive: 'sensitive',
  attachments: 'media_attachments',
  replyTo: 'in_reply_to_id',
  repostOf: 'reblog'
}

/** A status in the shape of the port, or the pointers to what is wrong in it. Unknown fields are dropped. */
export function postOf (raw: unknown, place: number): RemotePost | BadItem {
  if (!isObject(raw)) return { place, pointers: ['/'] }
  const boosted = isObject(raw['reblog']) ? raw['reblog'] : null
  const post = {
    ...placeOf(raw, boosted),
    ...contentOf(boosted ?? raw),
    remoteId: idOf(raw['id']),
    publishedAt: instantOf(raw['created_at']),
    editedAt: orNull(raw['edited_at'], instantOf),
    // The files of somebody else's post are theirs.
    attachments: boosted === null ? attachmentsOf(raw['media_attachments']) : []
  }
  if (checkPost.Check(post)) return post
  return { place, pointers: pointersOf(checkPost.Errors(post)) }
}

/** How the status stands to others. */
function placeOf (raw: Raw, boosted: Raw | null) {
  const replyTo = orNull(raw['in_reply_to_id'], idOf)
  const own = replyTo === null ? 'post' : 'reply'
  return { kind: boosted === null ? own : 'repost', replyTo, repostOf: boosted === null ? null : idOf(boosted['id']) }
}

/** What is shown of it. */
function contentOf (raw: Raw) {
  const { content, language } = raw
  const { text, links } = typeof content === 'string' ? plainTextOf(content) : { text: null, links: [] }
  return {
    url: addressOf(raw['url']) ?? addressOf(raw['uri']),
    text,
    language: typeof language === 'string' ? language.slice(0, 64) : null,
    tags: tagsOf(raw['tags']),
    mentions: mentionsOf(raw['mentions']),
    links: links.slice(0, 200),
    isSensitive: raw['sensitive'] === true,
    metrics: metricsOf(raw)
  }
}

function orNull (value: unknown, read: (value: unknown) => unknown): unknown {
  return (value ?? null) === null ? null : read(value)
}

/** An account in the shape of the port, or the pointers to what is wrong in it. */
export function profileOf (raw: unknown, limits: Limit[]): Probe | BadItem {
  if (!isObject(raw)) return { place: 0, pointers: ['/'] }
  const handle = textOf(raw['acct']) ?? textOf(raw['username'])
  const found = {
    remoteId: idOf(raw['id']),
    profile: {
      name: textOf(raw['display_name']) || handle,
      handle,
      url: addressOf(raw['url']),
      bio: typeof raw['note'] === 'string' ? plainTextOf(raw['note']).text.slice(0, 10_000) : '',
      links: fieldsOf(raw['fields']),
      avatarUrl: addressOf(raw['avatar'])
    }
  }
  if (!checkProfile.Check(found)) return { place: 0, pointers: pointersOf(checkProfile.Errors(found)) }
  return { ...found, kind: raw['bot'] === true ? 'bot' : 'person', counts: countsOf(raw), limits }
}

function pointersOf (errors: ReadonlyArray<{ instancePath: string, params?: unknown }>): string[] {
  const pointers = errors.map(({ instancePath }) => {
    const [, field = '', ...rest] = instancePath.split('/')
    return ['', origins[field] ?? field, ...rest].join('/')
  })
  return [...new Set(pointers)].slice(0, 20)
}

/** Strings stay as they are; a number is an id only where it is exact. */
function idOf (value: unknown): unknown {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? String(value) : value
}

function addressOf (value: unknown): string | null {
  if (typeof value !== 'string' || value.length > 2083 || !URL.canParse(value)) return null
  return /^https?:$/.test(new URL(value).protocol) ? value : null
}

/** An instant in UTC; a time without a zone is read as UTC. Anything else goes on to be refused. */
function instantOf (value: unknown): unknown {
  if (typeof value !== 'string' || !/^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}|$)/.test(value)) return value
  const hasZone = /(Z|[+-]\d{2}:?\d{2})$/i.test(value)
  const ms = Date.parse(hasZone || value.length === 10 ? value : `${value}Z`)
  return Number.isNaN(ms) ? value : new Date(ms).toISOString()
}

function textOf (value: unknown): string | null {
  return typeof value === 'string' ? cleanText(value).slice(0, 300) : null
}

/** Integers, also written as text; absent where the platform tells nothing. */
function countOf (value: unknown): number | undefined {
  const count = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
  return typeof count === 'number' && Number.isSafeInteger(count) && count >= 0 ? count : undefined
}

function metricsOf (raw: Raw): Metrics {
  return told({
    favourites: countOf(raw['favourites_count']),
    reblogs: countOf(raw['reblogs_count']),
    replies: countOf(raw['replies_count'])
  })
}

function countsOf (raw: Raw): Partial<Counts> {
  return told({
    followers: countOf(raw['followers_count']),
    following: countOf(raw['following_count']),
    posts: countOf(raw['statuses_count'])
  })
}

function told<K extends string> (counts: Record<K, number | undefined>): Partial<Record<K, number>> {
  return Object.fromEntries(Object.entries(counts).filter(([, value]) => value !== undefined)) as
    Partial<Record<K, number>>
}

/** NFKC, lower case, without the number sign, also the full-width one; each once. */
function tagsOf (value: unknown): string[] {
  const names = objectsOf(value).map(({ name }) => typeof name === 'string' ? foldTag(name) : '')
  return [...new Set(names)].filter((name) => name !== '' && name.length <= 200).slice(0, 200)
}

export function foldTag (name: string): string {
  return cleanText(name).normalize('NFKC').replace(/^#+/, '').toLowerCase()
}

function mentionsOf (value: unknown): string[] {
  return objectsOf(value).map(({ acct }) => textOf(acct)).filter((acct) => acct !== null).slice(0, 200)
}

function fieldsOf (value: unknown): Array<{ name: string, value: string }> {
  return objectsOf(value).slice(0, 20).map((field) => ({
    name: textOf(field['name']) ?? '',
    value: typeof field['value'] === 'string' ? plainTextOf(field['value']).text.slice(0, 2083) : ''
  }))
}

const attachmentKinds: Record<string, RemoteAttachment['kind']> =
  { image: 'image', gifv: 'animation', video: 'video', audio: 'audio' }

function attachmentsOf (value: unknown): unknown {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) return value
  return value.slice(0, 50).filter(isObject).map((raw) => {
    const meta = isObject(raw['meta']) && isObject(raw['meta']['original']) ? raw['meta']['original'] : {}
    const { duration } = meta
    return {
      remoteId: idOf(raw['id']),
      remoteUrl: addressOf(raw['url']) ?? addressOf(raw['remote_url']),
      previewUrl: addressOf(raw['preview_url']),
      kind: attachmentKinds[String(raw['type'])] ?? 'unknown',
      alt: typeof raw['description'] === 'string' ? cleanText(raw['description']).slice(0, 10_000) : null,
      width: countOf(meta['width']) ?? null,
      height: countOf(meta['height']) ?? null,
      durationMs: typeof duration === 'number' && duration >= 0 ? Math.round(duration * 1000) : null
    }
  // An attachment that is not processed yet has no address; a later read brings it.
  }).filter(({ remoteUrl }) => remoteUrl !== null)
}

function objectsOf (value: unknown): Raw[] {
  return Array.isArray(value) ? value.filter(isObject) : []
}

export function isObject (value: unknown): value is Raw {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
