import { HttpError, type Actor } from '../kernel/index.ts'
import type { SocialAccess } from './access.ts'
import { SocialError } from './errors.ts'
import type { ReportRange, ReportRepository } from './repository/reports.ts'
import type { Report, ReportName } from './schemas.ts'
import { daysBetween, instantOf, isZone } from './zones.ts'

/** `from` and `to` are instants or local days; the end is not in the range. */
export interface ReportQuery { accountId: readonly string[], from: string, to: string, zone?: string }

const mostDays = 400

export type Reports = ReturnType<typeof createReports>

export function createReports ({ access, reports }: { access: SocialAccess, reports: ReportRepository }) {
  const pipelines = {
    'engagement-by-day': reports.engagementByDay,
    'hashtag-performance': reports.hashtagPerformance
  } satisfies Record<ReportName, (range: ReportRange) => Promise<Array<Record<string, string | number>>>>

  return {
    /** Throws `report_unknown`, `range_too_wide`, `account_not_found`. */
    async report (actor: Actor, name: string, query: ReportQuery): Promise<Report> {
      if (!isReport(name)) throw SocialError.report_unknown()
      const accounts = await Promise.all(query.accountId.map(async (id) => await access.account(actor, id)))
      const zone = query.zone ?? accounts[0]?.zone ?? 'UTC'
      const { from, to } = rangeOf(query, zone)
      const accountIds = accounts.map(({ id }) => id)
      const rows = await pipelines[name]({ workspaceId: actor.workspaceId, accountIds, from, to, zone })
      return { name, zone, from: from.toISOString(), to: to.toISOString(), rows: rows as unknown as Report['rows'] }
    }
  }

  function isReport (name: string): name is ReportName {
    return Object.hasOwn(pipelines, name)
  }
}

function rangeOf (query: ReportQuery, zone: string): { from: Date, to: Date } {
  if (!isZone(zone)) throw refuse('/zone')
  const [from, to] = [instantOf(query.from, zone), instantOf(query.to, zone)]
  if (from === undefined) throw refuse('/from')
  if (to === undefined || to < from) throw refuse('/to')
  if (daysBetween(from, to, zone) > mostDays) throw SocialError.range_too_wide()
  return { from, to }
}

export function refuse (pointer: string, where: 'query' | 'body' = 'query') {
  return HttpError.validation_failed({}, {
    errors: [{ in: where, pointer, code: 'invalid', detail: 'This value is not allowed here.' }]
  })
}
