import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { Clock, JobContext, RetentionDefinition, Session, Storage } from '../../kernel/index.ts'
import type { ClaimCheckService } from '../claim-checks.ts'
import { placeOf, type ClearingRepository } from '../repository.ts'
import { oldLogs, readLogs, removeLogs, type LogLimits } from './logs.ts'

const dayMs = 86_400_000
const logLimits: LogLimits = { mostAgeMs: 30 * dayMs, mostBytes: 1024 ** 3 }
const compress = promisify(gzip)

export interface ClearingParts {
  clearings: ClearingRepository
  rules: () => Iterable<RetentionDefinition>
  storage: () => Storage
  claimChecks: Pick<ClaimCheckService, 'sweep'>
  /** Empty: this installation keeps no log files. */
  logDir: string
  clock: Clock
}

export interface ClearingReport {
  isDryRun: boolean
  rules: Array<{ name: string, count: number }>
  /** Big payloads whose runs are long over. */
  claimChecks: number
  logs: { files: number, bytes: number }
}

type Context = JobContext<{ isDryRun: boolean }, ClearingReport>

/** Lets old rows go as their domains declared, counted and page by page (`jobs.md` 4.10). */
export function createClearing ({ clearings, rules, storage, claimChecks, logDir, clock }: ClearingParts) {
  /** A page stands in the storage before its rows are gone; a page that is tried again has the same name. */
  async function archive (session: Session, rule: RetentionDefinition, before: Date, ids: unknown[]): Promise<void> {
    const lines = await clearings.lines(session, rule, before, ids)
    if (lines.length === 0) return
    const body = `${lines.join('\n')}\n`
    const sha256 = createHash('sha256').update(body).digest('hex')
    await storage().put(`archive/${rule.name}/${sha256}.ndjson.gz`, await compress(body), { type: 'application/gzip' })
  }

  async function clear (ctx: Context, rule: RetentionDefinition, before: Date): Promise<number> {
    const { run: { id } } = ctx
    let { count, after, isOver } = placeOf(await clearings.find(id), rule.name)
    while (!isOver) {
      ctx.signal.throwIfAborted()
      const page = await clearings.page(rule, before, after)
      count += await ctx.checkpoint(async (session) => {
        if (rule.mode === 'archive') await archive(session, rule, before, page.ids)
        return await clearings.remove(session, id, rule, { ...page, before })
      }, { done: count, unit: 'rows', step: rule.name.slice(0, 64) })
      after = page.ids.at(-1) ?? after
      isOver = page.isLast
    }
    return count
  }

  async function clearLogs (isDryRun: boolean): Promise<ClearingReport['logs']> {
    if (logDir === '') return { files: 0, bytes: 0 }
    const old = oldLogs(await readLogs(logDir), clock.ms(), logLimits)
    if (!isDryRun) await removeLogs(logDir, old)
    return { files: old.length, bytes: old.reduce((sum, { bytes }) => sum + bytes, 0) }
  }

  return {
    /** What is old is judged by the birth of the run: a start that follows a crash goes on with the same rows. */
    async run (ctx: Context): Promise<ClearingReport> {
      const { run: { id, createdAt, data: { isDryRun } } } = ctx
      if (!isDryRun) await clearings.begin(id, clock.now())
      const counts: ClearingReport['rules'] = []
      for (const rule of rules()) {
        const before = new Date(createdAt.getTime() - rule.age.days * dayMs)
        const count = isDryRun ? await clearings.count(rule, before) : await clear(ctx, rule, before)
        counts.push({ name: rule.name, count })
      }
      const checks = isDryRun ? 0 : await claimChecks.sweep(ctx.signal)
      return { isDryRun, rules: counts, claimChecks: checks, logs: await clearLogs(isDryRun) }
    }
  }
}

export type Clearing = ReturnType<typeof createClearing>
