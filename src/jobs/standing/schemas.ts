import { Type, type Static } from 'typebox'
import { reportPeriods, tableFormats } from '../../kernel/index.ts'
import { At, Id, Nullable, OneOf, Sha256, pageOf, pageQuery, ref } from '../../kernel/schemas.ts'

const closed = { additionalProperties: false }
const count = Type.Integer({ minimum: 0 })
const Name = Type.String({ maxLength: 128 })
const Period = Type.String({ pattern: '^[0-9]{4}-[0-9]{2}(-[0-9]{2})?$', maxLength: 10 })

export const BackupSchema = Type.Object({
  id: Id,
  state: OneOf(['written', 'proven', 'failed']),
  startedAt: At,
  endedAt: Nullable(At),
  clusterTime: Nullable(At),
  bytes: Type.Integer({ minimum: 0, description: 'As stored: compressed and encrypted' }),
  collections: count,
  documents: count,
  provenAt: Nullable(At),
  rpoS: Nullable(Type.Integer({ minimum: 0, description: 'Age of the data when it was proven, in seconds' })),
  rtoS: Nullable(Type.Integer({ minimum: 0, description: 'How long the restore took, in seconds' })),
  isStored: Type.Boolean(),
  problem: Nullable(Type.Object({ code: Name, title: Type.String({ maxLength: 500 }) }, closed))
}, { $id: 'Backup', ...closed, description: 'A backup of the database; it counts once it is proven' })
export type Backup = Static<typeof BackupSchema>

export const BackupPageSchema = pageOf(BackupSchema, 'BackupPage')
export const BackupQuerySchema = Type.Object(pageQuery, { $id: 'BackupQuery', ...closed })

const Workspace = Type.String({ maxLength: 64 })
const Revision = Type.Integer({ minimum: 1 })
const Files = Type.Array(Type.Object({
  format: OneOf(tableFormats),
  bytes: count,
  sha256: Sha256,
  type: Type.String({ maxLength: 100 }),
  url: Type.String({ maxLength: 300, description: 'Path of this server' })
}, closed), { maxItems: 10 })

export const ReportInfoSchema = Type.Object({
  name: Name,
  title: Type.String({ maxLength: 200 }),
  version: Type.Integer({ minimum: 1 }),
  period: OneOf(reportPeriods),
  isDaily: Type.Boolean(),
  columns: Type.Array(Type.Object({ key: Name, title: Type.String({ maxLength: 200 }) }, closed), { maxItems: 200 }),
  newest: Type.Optional(Type.Object(
    { id: Id, workspaceId: Workspace, period: Period, revision: Revision, files: Files }, closed))
}, { $id: 'ReportInfo', ...closed, description: 'A report that this installation can build' })

export const ReportListSchema = Type.Object(
  { data: Type.Array(ref(ReportInfoSchema), { maxItems: 500 }) }, { $id: 'ReportList', ...closed })

export const NewReportRunSchema = Type.Object({
  period: Period,
  params: Type.Optional(Type.Record(
    Type.String({ maxLength: 64 }),
    Type.Union([Type.String({ maxLength: 500 }), Type.Number(), Type.Boolean(), Type.Null()]),
    { maxProperties: 20 }))
}, { $id: 'NewReportRun', ...closed })

export const ReportNameParams = Type.Object({ name: Name }, { $id: 'ReportNameParams', ...closed })
export const ReportFileParams = Type.Object(
  { id: Id, format: OneOf(tableFormats) }, { $id: 'ReportFileParams', ...closed })

export const ReportRunSchema = Type.Object({
  id: Id,
  workspaceId: Workspace,
  name: Name,
  period: Period,
  zone: Type.String({ maxLength: 64 }),
  state: OneOf(['pending', 'running', 'succeeded', 'failed', 'cancelled']),
  revision: Type.Optional(Revision),
  rows: Type.Optional(count),
  files: Files,
  createdAt: Type.Optional(At)
}, { $id: 'ReportRun', ...closed, description: 'A report of one period; its files once it is built' })

export const ReportRunPageSchema = pageOf(ReportRunSchema, 'ReportRunPage')
const ofWorkspace = { workspaceId: Type.Optional(Workspace) }
export const ReportQuerySchema = Type.Object(ofWorkspace, { $id: 'ReportQuery', ...closed })
export const ReportRunQuerySchema = Type.Object({ ...pageQuery, ...ofWorkspace }, { $id: 'ReportRunQuery', ...closed })

export const standingSchemas = [
  BackupSchema, BackupPageSchema, BackupQuerySchema, ReportInfoSchema, ReportListSchema, NewReportRunSchema,
  ReportNameParams, ReportFileParams, ReportRunSchema, ReportRunPageSchema, ReportQuerySchema, ReportRunQuerySchema
]
