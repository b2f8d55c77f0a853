import { Type, type Static } from 'typebox'
import { At, Id, Nullable, OneOf, Sha256, pageOf, pageQuery } from '../kernel/schemas.ts'

export const downloadStates = [
  'queued', 'probing', 'downloading', 'verifying', 'storing', 'done', 'paused', 'failed', 'cancelled'
] as const
export type DownloadState = typeof downloadStates[number]

const Bytes = Type.Integer({ minimum: 0 })
const Purpose = Type.String({ pattern: '^[a-z][a-z-]{0,31}$', maxLength: 32 })
const ContentType = Type.String({ maxLength: 128 })

/** What is shown of a running transfer; `bytes` never falls, `rate` is bytes a second. */
export const DownloadProgressSchema = Type.Object({
  downloadId: Id,
  fileId: Id,
  state: OneOf(downloadStates),
  bytes: Bytes,
  total: Nullable(Bytes),
  rate: Nullable(Bytes),
  etaMs: Nullable(Bytes),
  restarts: Type.Integer({ minimum: 0 }),
  errorCode: Nullable(Type.String({ maxLength: 128 }))
}, { $id: 'DownloadProgress', additionalProperties: false })
export type DownloadProgress = Static<typeof DownloadProgressSchema>

export const DownloadSchema = Type.Object({
  id: Id,
  fileId: Id,
  url: Type.String({ maxLength: 2083 }),
  purpose: Purpose,
  name: Nullable(Type.String({ maxLength: 255 })),
  state: OneOf(downloadStates),
  bytes: Bytes,
  total: Nullable(Bytes),
  rate: Nullable(Bytes),
  etaMs: Nullable(Bytes),
  restarts: Type.Integer({ minimum: 0 }),
  restartCode: Nullable(Type.String({ maxLength: 128, description: 'Why it started again the last time' })),
  type: Nullable(ContentType),
  sha256: Nullable(Sha256),
  errorCode: Nullable(Type.String({ maxLength: 128 })),
  version: Type.Integer({ minimum: 1 }),
  createdAt: At,
  updatedAt: At
}, { $id: 'Download', additionalProperties: false, description: 'One transfer of a file to our storage' })
export type DownloadView = Static<typeof DownloadSchema>

export const NewDownloadSchema = Type.Object({
  url: Type.String({ minLength: 1, maxLength: 2083 }),
  purpose: Purpose,
  expect: Type.Optional(Type.Object({
    sha256: Type.Optional(Sha256), bytes: Type.Optional(Bytes), type: Type.Optional(ContentType)
  }, { additionalProperties: false })),
  name: Type.Optional(Type.String({ maxLength: 255 })),
  maxBytes: Type.Optional(Type.Integer({ minimum: 1, description: 'A larger file is refused, as soon as that shows' }))
}, { $id: 'NewDownload', additionalProperties: false })
export type NewDownload = Static<typeof NewDownloadSchema>

export const DownloadPageSchema = pageOf(DownloadSchema, 'DownloadPage')

export const DownloadQuerySchema = Type.Object({
  ...pageQuery,
  state: Type.Optional(OneOf(downloadStates))
}, { $id: 'DownloadQuery', additionalProperties: false })
export type DownloadQuery = Static<typeof DownloadQuerySchema>
