import {
  currentContext, uuidv7,
  type AddOptions, type AddedRun, type Clock, type JobDefinition, type JobSender, type Session
} from '../kernel/index.ts'
import { dedupeFields } from './dedupe.ts'
import { JobsError } from './errors.ts'
import { dataHash, scopedKey, seqOf } from './keys.ts'
import { slotOf } from './partitions.ts'
import { checkPayload } from './payload.ts'
import type { DedupeRepository, RunRepository } from './repository.ts'
import type { RunRow } from './run.ts'

export interface SenderParts {
  runs: RunRepository
  dedupes: DedupeRepository
  clock: Clock
  isDeclared: (job: string) => boolean
  /** Called in the transaction for each new run that is due at once. */
  onAdded: (queue: string, workspaceId: string) => void
  /** What never sees the store. */
  lossy: Pick<JobSender, 'addNow' | 'addNowMany'>
}

type NewRun = Pick<RunRow,
  '_id' | 'workspaceId' | 'name' | 'v' | 'data' | 'queue' | 'lane' | 'cost' | 'runAt' | 'createdAt' | 'dataHash'>

/** A run that nobody touched yet, with where it comes from. */
export function newRun (run: NewRun & Partial<RunRow>): RunRow {
  const context = currentContext()
  return {
    state: 'pending',
    isLive: false,
    heldBy: null,
    release: 0,
    fence: 0,
    claim: null,
    attempt: 0,
    starts: 0,
    crashes: 0,
    conflicts: 0,
    worker: null,
    attempts: [],
    ...(context?.cause === undefined ? {} : { cause: context.cause }),
    ...(context?.actor === undefined ? {} : { actor: context.actor }),
    ...(context?.trace === undefined ? {} : { trace: context.trace }),
    slot: slotOf(run.workspaceId),
    ...run
  }
}

/** The outbox: a run is a document in the caller's transaction (`jobs.md` 3.1). */
export function createJobSender ({ runs, dedupes, clock, isDeclared, onAdded, lossy }: SenderParts): JobSender {
  function toRun (job: JobDefinition, data: unknown, options: AddOptions): RunRow {
    checkPayload(job.name, job.data, data)
    const id = uuidv7(clock.ms())
    const now = clock.now()
    const one = options.dedupe === undefined ? undefined : dedupeFields(job.name, options.dedupe, clock)
    const serial = options.serial ?? job.serial?.(data) ?? one?.serial
    const target = job.target?.(data)
    return newRun({
      _id: id,
      workspaceId: workspaceOf(data, options),
      name: job.name,
      v: job.version,
      data,
      dataHash: dataHash(data),
      queue: job.queue,
      lane: job.lane,
      cost: job.cost,
      runAt: now,
      createdAt: now,
      ...asked(options),
      ...one,
      ...(serial === undefined ? {} : { serial, seq: seqOf(id) }),
      ...(target === undefined ? {} : { target })
    })
  }

  function answer (run: RunRow, kept: AddedRun & { dataHash: string }): AddedRun {
    const { id, state, isNew, dataHash } = kept
    const isOther = dataHash !== run.dataHash && run.dedupe === undefined
    if (!isNew && isOther) throw JobsError.key_reused({ job: run.name, id })
    if (isNew) onAdded(run.queue, run.workspaceId)
    return { id, state, isNew }
  }

  async function addOne (session: Session, run: RunRow): Promise<AddedRun> {
    const { dedupe } = run
    return answer(run, dedupe === undefined
      ? await runs.add(session, run)
      : await dedupes.addDeduped(session, { ...run, dedupe }, clock.now()))
  }

  function known (job: { name: string }): void {
    if (!isDeclared(job.name)) throw JobsError.unknown_job({ job: job.name })
  }

  return {
    async add (session: Session, job, data, options = {}) {
      known(job)
      return await addOne(session, toRun(job as unknown as JobDefinition, data, options))
    },

    async addMany (session: Session, job, items) {
      known(job)
      const rows = items.map(({ data, options = {} }) => toRun(job as unknown as JobDefinition, data, options))
      const answers: AddedRun[] = []
      const [plain, deduped] = [rows.filter((run) => !run.dedupe), rows.filter((run) => run.dedupe)]
      for (const run of deduped) answers[rows.indexOf(run)] = await addOne(session, run)
      for (const group of Map.groupBy(plain, (run) => run.workspaceId).values()) {
        const kept = await runs.addMany(session, group)
        kept.forEach((one, i) => { answers[rows.indexOf(group[i] as RunRow)] = answer(group[i] as RunRow, one) })
      }
      return answers
    },

    ...lossy
  }
}

/** What the caller said of the run itself. */
function asked (options: AddOptions): Partial<Pick<RunRow, 'key' | 'lane' | 'cost' | 'runAt' | 'deadlineAt'>> {
  const names = ['lane', 'cost', 'runAt', 'deadlineAt'] as const
  const given = Object.fromEntries(names.flatMap((name) => options[name] === undefined ? [] : [[name, options[name]]]))
  return options.key === undefined ? given : { ...given, key: scopedKey(options.key, options.scope, currentContext()) }
}

/** The workspace in the payload, else the one asked for, else the one at work. */
export function workspaceOf (data: unknown, { workspaceId }: { workspaceId?: string }): string {
  const inData = typeof data === 'object' && data !== null ? (data as { workspaceId?: unknown }).workspaceId : undefined
  if (typeof inData === 'string') return inData
  return workspaceId ?? currentContext()?.actor?.workspaceId ?? ''
}
