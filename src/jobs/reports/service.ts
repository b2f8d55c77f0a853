import { randomBytes } from 'node:crypto'
import type { Readable } from 'node:stream'
import type {
  Actor, Clock, EventBus, JobContext, JobSender, ReportDefinition, Storage, TableFormat, Tables, Tx, WorkspaceDirectory
} from '../../kernel/index.ts'
import { scopeOf, type Scope } from '../access.ts'
import { JobsError } from '../errors.ts'
import { checkPayload } from '../payload.ts'
import { operationState } from '../present.ts'
import type { ControlRepository, ReportFile, ReportRepository, ReportRow } from '../repository.ts'
import { reportReady } from '../standing/events.ts'
import { buildReport } from '../standing/jobs.ts'
import { buildFiles, type BuiltFiles } from './files.ts'
import { dueDay, isZone, rangeOf } from './periods.ts'

export interface ReportParts {
  reports: ReportRepository
  runs: Pick<ControlRepository, 'find'>
  definitions: ReadonlyMap<string, ReportDefinition>
  directory: () => WorkspaceDirectory | undefined
  storage: () => Storage
  tables: () => Tables
  jobs: () => JobSender
  events: () => EventBus
  tx: Tx
  clock: Clock
}

export interface ReportRun { workspaceId: string, name: string, period: string, zone: string, params: unknown }

const pageSize = 500

export type ReportService = ReturnType<typeof createReportService>

/** Reports once per workspace, report and period; built again, another revision only if the rows differ. */
export function createReportService (parts: ReportParts) {
  const { reports, runs, definitions, clock, tx } = parts

  function definitionOf (name: string): ReportDefinition {
    const found = definitions.get(name)
    if (found === undefined) throw JobsError.report_not_found({ name })
    return found
  }

  function rangeFor (definition: ReportDefinition, { period, zone }: Pick<ReportRun, 'period' | 'zone'>) {
    const range = rangeOf(definition.period, period, zone)
    if (range === undefined) {
      throw JobsError.schema_mismatch({}, { detail: `This report needs a period of one ${definition.period}.` })
    }
    return range
  }

  async function build (ctx: JobContext<ReportRun>): Promise<void> {
    const { id, data } = ctx.run
    const definition = definitionOf(data.name)
    const range = rangeFor(definition, data)
    const rows = definition.rows({ ...data, ...range, params: data.params as never, signal: ctx.signal })
    const place = `reports/${data.workspaceId || 'installation'}/${id}-${randomBytes(6).toString('hex')}`
    const built = await buildFiles(
      { storage: parts.storage(), tables: parts.tables(), columns: definition.columns, signal: ctx.signal },
      rows, (format) => `${place}.${format}`)
    const latest = await reports.latest(data.workspaceId, data.name, data.period)
    if (latest?.hash === built.hash && latest.version === definition.version) {
      await drop(built.files)
      await ctx.commit(async () => {}, { reportId: latest._id, revision: latest.revision, isNew: false })
      return
    }
    await keep(ctx, definition, built)
  }

  async function keep (ctx: JobContext<ReportRun>, { version }: ReportDefinition, built: BuiltFiles): Promise<void> {
    const { id, data: { workspaceId, name, period, zone } } = ctx.run
    // Runs of one report and period go one after another: nobody adds a revision meanwhile.
    const revision = ((await reports.latest(workspaceId, name, period))?.revision ?? 0) + 1
    await ctx.commit(async (session) => {
      await reports.add(session, {
        _id: id, workspaceId, name, version, period, zone, revision, ...built, state: 'ready', createdAt: clock.now()
      })
      await parts.events().emit(session, reportReady, { workspaceId, reportId: id, name, period, revision },
        { type: 'report', id }, { workspaceId })
    }, { reportId: id, revision, isNew: true })
  }

  async function drop (files: readonly ReportFile[]): Promise<void> {
    for (const { key } of files) await parts.storage().delete(key)
  }

  /** The day that just ended, for every workspace where it is past 02:00; once, however often it is asked for. */
  async function startDaily (ctx: JobContext): Promise<{ started: number }> {
    const daily = [...definitions.values()].filter(({ isDaily }) => isDaily)
    const directory = parts.directory()
    let started = 0
    if (daily.length === 0 || directory === undefined) return { started }
    for (let after: string | undefined; ;) {
      ctx.signal.throwIfAborted()
      const page = await directory.page(after, pageSize)
      for (const { name } of daily) started += await startMany(name, page)
      after = page.at(-1)?.id
      if (page.length < pageSize) return { started }
    }
  }

  async function startMany (name: string, page: ReadonlyArray<{ id: string, zone: string }>): Promise<number> {
    if (page.length === 0) return 0
    const now = clock.now()
    const items = page.map(({ id, zone: asked }) => {
      const zone = isZone(asked) ? asked : 'UTC'
      const period = dueDay(now, zone)
      const data = { workspaceId: id, name, period, zone, params: {} }
      return { data, options: { key: `daily:${name}:${zone}:${period}` } }
    })
    const added = await tx(async (session) => await parts.jobs().addMany(session, buildReport, items))
    return added.filter(({ isNew }) => isNew).length
  }

  async function fileOf (actor: Actor, id: string, format: TableFormat): Promise<ReportFile> {
    const row = await rowOf(actor, id)
    const file = row?.files.find((one) => one.format === format)
    if (file === undefined) throw JobsError.run_not_found({ id })
    return file
  }

  /** The revision that a run made, or found to be there already. */
  async function rowOf (actor: Actor, id: string): Promise<ReportRow | undefined> {
    const scope = placesOf(actor)
    const own = await reports.find(scope, id)
    if (own !== undefined) return own
    const run = await runs.find(scope, id)
    const { reportId } = (run?.result ?? {}) as { reportId?: string }
    return reportId === undefined ? undefined : await reports.find(scope, reportId)
  }

  return {
    build,
    startDaily,

    /** What there is, with the newest revision of the workspace, for operators of any. */
    async list (actor: Actor, { workspaceId }: { workspaceId?: string } = {}) {
      const newest = await reports.newest(placesOf(actor, workspaceId), [...definitions.keys()])
      return [...definitions.values()].map(({ name, title, version, period, isDaily, columns }) => {
        const last = newest.get(name)
        return {
          name,
          title,
          version,
          period,
          isDaily,
          columns: columns.map(({ key, title: shown }) => ({ key, title: shown ?? key })),
          ...(last === undefined ? {} : { newest: newestOf(last) })
        }
      })
    },

    /** Revisions of all periods, the newest first, one more than `limit`. Throws `report_not_found`. */
    async past (
      actor: Actor, name: string, { workspaceId, ...page }: { workspaceId?: string, after?: string, limit: number }
    ) {
      definitionOf(name)
      const rows = await reports.list(placesOf(actor, workspaceId), { name, ...page })
      return rows.map((row) => presentReady(row._id, row))
    },

    /** Has a report built; answers its run. Throws `report_not_found`, `schema_mismatch`. */
    async start (
      { workspaceId }: Actor, name: string, { period, params = {} }: { period: string, params?: unknown }
    ): Promise<string> {
      const definition = definitionOf(name)
      if (definition.params !== undefined) checkPayload(name, definition.params, params)
      const zone = await parts.directory()?.zoneOf(workspaceId) ?? 'UTC'
      const data = { workspaceId, name, period, zone, params }
      rangeFor(definition, data)
      return await tx(async (session) =>
        (await parts.jobs().add(session, buildReport, data, { lane: 'interactive' })).id)
    },

    /** How a run of a report stands. Throws `run_not_found`. */
    async run (actor: Actor, id: string) {
      const row = await rowOf(actor, id)
      if (row !== undefined) return presentReady(id, row)
      const run = await runs.find(placesOf(actor), id)
      if (run === undefined || run.name !== buildReport.name) throw JobsError.run_not_found({ id })
      const { workspaceId, name, period, zone } = run.data as ReportRun
      return { id, workspaceId, name, period, zone, state: operationState(run.state), files: [] }
    },

    /** A file of a revision, as a stream. Throws `run_not_found`. */
    async file (actor: Actor, id: string, format: TableFormat): Promise<{ file: ReportFile, body: Readable }> {
      const file = await fileOf(actor, id, format)
      const body = await parts.storage().get(file.key)
      if (body === null) throw JobsError.run_not_found({ id })
      return { file, body }
    }
  }
}

/** Without a workspace there are no reports: those of the installation are for its operators. */
function placesOf (actor: Actor, asked?: string): Scope {
  return scopeOf(actor, asked)?.filter((place) => place !== '')
}

function presentReady (id: string, row: ReportRow) {
  const { workspaceId, name, period, zone, revision, rows, createdAt } = row
  return {
    id, workspaceId, name, period, zone, state: 'succeeded' as const, revision, rows, files: linksOf(id, row),
    createdAt: createdAt.toISOString()
  }
}

function newestOf (row: ReportRow) {
  const { _id: id, workspaceId, period, revision } = row
  return { id, workspaceId, period, revision, files: linksOf(id, row) }
}

function linksOf (id: string, { files }: ReportRow) {
  return files.map(({ format, bytes, sha256, type }) =>
    ({ format, bytes, sha256, type, url: `/v1/jobs/reports/runs/${id}/files/${format}` }))
}
