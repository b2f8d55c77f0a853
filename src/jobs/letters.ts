import {
  isDomainError, type Actor, type AddedRun, type Clock, type JobContext, type JobSender, type Lane, type Session,
  type Tx
} from '../kernel/index.ts'
import { scopeOf, type Scope } from './access.ts'
import { JobsError } from './errors.ts'
import { replayLetters } from './jobs.ts'
import { checkPayload } from './payload.ts'
import { presentGroup, presentLetter, presentLetterDetail } from './present-letters.ts'
import { edit } from './redact.ts'
import { ensureBatch, mostRounds, paced, refusalOf, replayOf, startReplay, type Known } from './replay.ts'
import type { BatchRepository, Letter, LetterRepository, RunRepository } from './repository.ts'
import type {
  GroupOut, LetterDetail, LetterDiscard, LetterFilter, LetterOut, LetterQuery, LetterReplay, ReplayReport
} from './schemas.ts'
import type { RunRow } from './run.ts'

interface Collaborators {
  letters: LetterRepository
  runs: RunRepository
  batches: Pick<BatchRepository, 'insert' | 'ensure' | 'grow'>
  jobs: JobSender
  known: Known
  tx: Tx
  clock: Clock
  /** Called in the transaction for each queue that gets a run. */
  onAdded: (queue: string, workspaceId: string) => void
}

export type LetterService = ReturnType<typeof createLetterService>

const perTransaction = 250
const mostDiscarded = 10_000
const shownRefusals = 100
const defaults = { ratePerS: 10, lane: 'bulk' } as const

type Pace = { lane: Lane, at: (index: number) => Date, by: string, batchId?: string }
type Chosen = Pick<LetterReplay, 'ids' | 'filter'>

/** What people do with runs that will not be tried again without them (`jobs.md` 4.5). */
export function createLetterService ({ letters, runs, batches, jobs, known, tx, clock, onAdded }: Collaborators) {
  async function letterOf (actor: Actor, id: string): Promise<Letter> {
    const letter = await letters.find(scopeOf(actor), id)
    if (letter === undefined) throw JobsError.letter_not_found({ id })
    return letter
  }

  async function runOf ({ workspaceId, runId }: Letter): Promise<RunRow> {
    const run = await runs.find(workspaceId, runId)
    if (run === undefined) throw JobsError.run_not_found({ id: runId })
    return run
  }

  async function detailOf (letter: Letter): Promise<LetterDetail> {
    const run = await runs.find(letter.workspaceId, letter.runId)
    return presentLetterDetail(letter, letter.data ?? run?.data ?? null, known.jobs.get(letter.name)?.redact)
  }

  /** Makes new runs of open letters and closes them; letters that cannot be replayed stay as they are. */
  async function again (
    session: Session, open: readonly Letter[], { lane, at, by, batchId }: Pace
  ): Promise<ReplayReport> {
    const dead = await letters.runsOf(session, open)
    const judged = open.map((letter) => {
      const run = dead.get(letter.runId)
      return { letter, run, refusal: refusalOf(letter, run, known) }
    })
    const going = judged.flatMap(({ letter, run, refusal }) =>
      run === undefined || refusal !== undefined ? [] : [{ letter, run }])
    const fresh = going.map(({ letter, run }, i) =>
      replayOf(letter, run, { known, clock, lane, runAt: at(i), batchId }))
    await runs.insert(session, fresh)
    await letters.close(session, going.map(({ letter }, i) => ({ ...letter, newRunId: fresh[i]?._id ?? '' })), {
      state: 'replayed', by, at: clock.now()
    })
    for (const { queue, workspaceId } of fresh) onAdded(queue, workspaceId)
    return {
      matched: open.length,
      replayed: going.map(({ letter }, i) => ({ id: letter._id, runId: fresh[i]?._id ?? '' })),
      refused: judged.flatMap(({ letter, refusal }) =>
        refusal === undefined ? [] : [{ id: letter._id, code: codeOf(refusal) }])
    }
  }

  async function byIds (actor: Actor, ids: readonly string[], body: LetterReplay): Promise<ReplayReport> {
    const { ratePerS = defaults.ratePerS, lane = defaults.lane, dryRun = false } = body
    const report = await tx(async (session) => {
      const open = await letters.openByIds(session, scopeOf(actor), ids)
      if (dryRun) return dry(open, await letters.runsOf(session, open), known)
      return await again(session, open, {
        lane, by: actor.id, at: paced({ startMs: clock.ms(), nowMs: clock.ms(), done: 0, ratePerS })
      })
    })
    const refused = [...report.refused, ...await missing(actor, ids, report)]
    const isLoop = refused.length === ids.length && refused.every(({ code }) => code === 'jobs.replay_loop')
    if (isLoop && !dryRun) throw JobsError.replay_loop({ rounds: mostRounds })
    return { ...report, refused }
  }

  /** Asked for and neither replayed nor refused: closed, or not there. */
  async function missing (actor: Actor, ids: readonly string[], { replayed, refused }: ReplayReport) {
    const told = new Set([...replayed, ...refused].map(({ id }) => id))
    return await Promise.all(ids.filter((id) => !told.has(id)).map(async (id) => {
      const letter = await letters.find(scopeOf(actor), id)
      if (letter?.state === 'open') return []
      return [{ id, code: letter === undefined ? 'jobs.letter_not_found' : 'jobs.letter_closed' }]
    })).then((all) => all.flat())
  }

  async function byFilter (
    actor: Actor, { workspaceId, ...filter }: LetterFilter & { workspaceId?: string }, body: LetterReplay
  ): Promise<ReplayReport | AddedRun> {
    const { ratePerS = defaults.ratePerS, lane = defaults.lane, dryRun = false } = body
    const scope = scopeOf(actor, workspaceId)
    if (!dryRun) {
      return await tx(async (session) => await start(session, scope, { filter, ratePerS, lane }, actor.workspaceId))
    }
    const looped = await letters.open(scope, filter, shownRefusals, mostRounds)
    return {
      matched: await letters.count(scope, filter),
      replayed: [],
      refused: looped.map(({ _id }) => ({ id: _id, code: 'jobs.replay_loop' }))
    }
  }

  async function start (
    session: Session, scope: Scope, asked: { filter: LetterFilter, ratePerS: number, lane: Lane },
    workspaceId: string
  ): Promise<AddedRun> {
    const data = { ...(scope === undefined ? {} : { scope: [...scope] }), ...asked }
    return await startReplay({ session, jobs, batches, clock }, replayLetters, data, workspaceId)
  }

  return {
    start,

    async groups (actor: Actor, { workspaceId }: { workspaceId?: string } = {}): Promise<GroupOut[]> {
      return (await letters.groups(scopeOf(actor, workspaceId))).map(presentGroup)
    },

    /** Newest first, one more than `limit`. */
    async list (
      actor: Actor, { workspaceId, state = 'open', after, limit, ...filter }:
      Omit<LetterQuery, 'cursor' | 'limit'> & { after?: string, limit: number }
    ): Promise<LetterOut[]> {
      const page = { filter, state, limit, ...(after === undefined ? {} : { after }) }
      return (await letters.list(scopeOf(actor, workspaceId), page)).map(presentLetter)
    },

    /** All that match, with their data, a page at a time. */
    async * all (
      actor: Actor, query: Omit<LetterQuery, 'cursor' | 'limit'>
    ): AsyncGenerator<LetterDetail> {
      let after: string | undefined
      for (;;) {
        const { workspaceId, state = 'open', ...filter } = query
        const page = await letters.list(scopeOf(actor, workspaceId), {
          filter, state, limit: perTransaction, ...(after === undefined ? {} : { after })
        })
        for (const letter of page.slice(0, perTransaction)) yield await detailOf(letter)
        if (page.length <= perTransaction) return
        after = page[perTransaction - 1]?._id
      }
    },

    async get (actor: Actor, id: string): Promise<LetterDetail> {
      return await detailOf(await letterOf(actor, id))
    },

    /** Lays a merge patch over the data that a replay will use. Throws `schema_mismatch`, `letter_closed`. */
    async edit (actor: Actor, id: string, patch: unknown): Promise<LetterDetail> {
      const letter = await letterOf(actor, id)
      if (known.subscribers.has(letter.name)) {
        throw JobsError.replay_refused({ id }, { detail: 'An event is a fact: nobody edits what it says.' })
      }
      const job = known.jobs.get(letter.name)
      if (job === undefined) throw JobsError.unknown_job({ job: letter.name })
      const data = edit(letter.data ?? (await runOf(letter)).data, patch, job.redact)
      checkPayload(job.name, job.data, data)
      const edited = await letters.setData(scopeOf(actor), id, data)
      if (edited === undefined) throw JobsError.letter_closed({ id })
      return await detailOf(edited)
    },

    /** Named ones at once, what a filter matches by a run. Throws `replay_loop` where all were replayed too often. */
    async replay (actor: Actor, body: LetterReplay): Promise<ReplayReport | AddedRun> {
      const { ids, filter } = one(body)
      return ids === undefined ? await byFilter(actor, filter ?? {}, body) : await byIds(actor, ids, body)
    },

    async discard (actor: Actor, { reason, ...body }: LetterDiscard): Promise<{ discarded: number, hasMore: boolean }> {
      const { ids, filter: { workspaceId, ...filter } = {} } = one(body)
      const scope = scopeOf(actor, workspaceId)
      const closing = (at: Date) => ({ state: 'discarded' as const, by: actor.id, at, reason })
      let discarded = 0
      while (discarded < mostDiscarded) {
        const page = ids ?? (await letters.open(scope, filter, perTransaction)).map(({ _id }) => _id)
        discarded += await tx(async (session) => {
          const open = await letters.openByIds(session, scope, page)
          await letters.close(session, open, closing(clock.now()))
          return open.length
        })
        if (ids !== undefined || page.length < perTransaction) return { discarded, hasMore: false }
      }
      return { discarded, hasMore: true }
    },

    /**
     * The run of `jobs.replay-letters`: chooses first, then goes page by page, each in one transaction, until somebody
     * ends its batch.
     */
    async carry (ctx: JobContext): Promise<{ done: number }> {
      const { scope, filter, ratePerS, lane } = ctx.run.data as {
        scope?: string[], filter: LetterFilter, ratePerS: number, lane: Lane
      }
      await ensureBatch({ batches, clock }, ctx.run)
      const total = await ctx.step('choose', async () => await letters.choose(scope, filter, ctx.run.id))
      const startMs = await ctx.step('start', async () => clock.ms())
      const { id: by } = ctx.run
      let done = ctx.run.progress?.done ?? 0
      let isWanted = true
      const at = paced({ startMs, nowMs: clock.ms(), done, ratePerS })
      for (;;) {
        const page = await letters.chosen(ctx.run.id, perTransaction)
        if (page.length === 0) return { done }
        const from = done
        done += page.length
        await ctx.checkpoint(async (session) => {
          isWanted = await batches.grow(session, by)
          if (!isWanted) return
          const open = await letters.openByIds(session, undefined, page.map(({ _id }) => _id))
          const { refused } = await again(
            session, open, { lane, by, batchId: by, at: (index) => at(from + index) })
          await letters.free(session, refused.map(({ id }) => id))
        }, { done, total, unit: 'letters' })
        if (!isWanted) return { done: from }
      }
    }
  }
}

function dry (open: readonly Letter[], dead: ReadonlyMap<string, RunRow>, known: Known): ReplayReport {
  return {
    matched: open.length,
    replayed: [],
    refused: open.flatMap((letter) => {
      const refusal = refusalOf(letter, dead.get(letter.runId), known)
      return refusal === undefined ? [] : [{ id: letter._id, code: codeOf(refusal) }]
    })
  }
}

function codeOf (error: Error): string {
  return isDomainError(error) ? error.code : error.name
}

/** Either ids or a filter. Throws `schema_mismatch`. */
function one (chosen: Chosen): Chosen {
  if ((chosen.ids === undefined) !== (chosen.filter === undefined)) return chosen
  const errors = [{ in: 'body' as const, pointer: '/filter', code: 'one_of', detail: 'either ids or a filter' }]
  throw JobsError.schema_mismatch({}, { detail: 'Either ids or a filter.', errors })
}
