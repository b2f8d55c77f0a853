import type { Static, TSchema } from 'typebox'
import type { TableColumn, TableRow } from './tables.ts'

export const reportPeriods = ['day', 'month'] as const
export type ReportPeriod = typeof reportPeriods[number]

/** What rows are asked for: a period of one workspace, its bounds in the zone of the workspace. */
export interface ReportContext<P = unknown> {
  workspaceId: string
  /** `2026-11-25` or `2026-11` */
  period: string
  zone: string
  from: Date
  /** Not in the period any more. */
  to: Date
  params: P
  signal: AbortSignal
}

export interface ReportDefinition<P extends TSchema = TSchema> {
  /** `<domain>.<noun>` */
  name: string
  version: number
  title: string
  params?: P
  period: ReportPeriod
  /** Whether it is built every night for every workspace. */
  isDaily: boolean
  columns: readonly TableColumn[]
  /** Rows in an order of their own that is the same for the same data. */
  rows (ctx: ReportContext<Static<P>>): AsyncIterable<TableRow>
}

/** A report as data with the function that reads its rows; `jobs.build-report` makes files of it. */
export function defineReport<P extends TSchema = TSchema> (
  report: Omit<ReportDefinition<P>, 'version' | 'isDaily'> & Partial<Pick<ReportDefinition<P>, 'version' | 'isDaily'>>
): ReportDefinition<P> {
  return { version: 1, isDaily: report.period === 'day', ...report }
}

/** Handed up by the domain that knows workspaces (`house.md` 4, 11). */
export interface WorkspaceDirectory {
  /** Workspaces with their zones in ascending id after `after`. */
  page (after: string | undefined, limit: number): Promise<Array<{ id: string, zone: string }>>
  zoneOf (workspaceId: string): Promise<string | undefined>
}
