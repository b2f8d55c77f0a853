import {
  currentContext, uuidv7,
  type AddOptions, type AddedRun, type Clock, type JobDefinition, type JobSender, type Session
} from '../kernel/index.ts'
import type { BacklogGuard } from './backlog.ts'
import { dedupeFields } from './dedupe.ts'
import { JobsError } from './errors.ts'
import { dataHash, scopedKey, seqOf } from './keys.ts'
import { askedNeeds, begin } from './needs.ts'
import { slotOf } from './partitions.ts'
import { checkCost, checkPayload } from './payload.ts'
import type { BatchRepository, DedupeRepository, NeedRepository, RunRepository } from './repository.ts'
import type { RunRow } from './run.ts'
import { toWorkflow } from './workflow-runs.ts'

export interface SenderParts {
  runs: RunRepository
  needs: NeedRepository
  batches: Pick<BatchRepository, 'touch'>
  backlog: BacklogGuard
  dedupes: DedupeRepository
  clock: Clock
  isDeclared: (job: string) => boolean
  /** Called in the transaction for each new run that is due at once. */
  onAdded: (queue: string, workspaceId: string, id: string) => void
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
    // Its time may move with every try: what its age is counted from does not.
    ...(run.runAt > run.createdAt ? { dueAt: run.runAt } : {}),
    ...run
  }
}

/** The outbox: a run is a document in the caller's transaction (`jobs.md` 3.1). */
export function createJobSender (parts: SenderParts): JobSender {
  const { runs, dedupes, needs, batches, backlog, clock, isDeclared, onAdded, lossy } = parts

  function toRun (job: JobDefinition, data: unknown, options: AddOptions): RunRow {
    checkPayload(job.name, job.data, data)
    checkCost(job.name, options.cost)
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
      ...(target === undefined ? {} : { target }),
      ...contestOf(job, data, { slotAt: options.runAt ?? now, ...options }, target),
      ...askedNeeds(options)
    })
  }

  /** What must be so before runs of one workspace are written, in the transaction. */
  async function prepare (session: Session, rows: readonly RunRow[]): Promise<RunRow[]> {
    const workspaceId = rows[0]?.workspaceId ?? ''
    await backlog.check(workspaceId, rows.length)
    for (const batchId of new Set(rows.flatMap((run) => run.batchId ?? []))) {
      if (!await batches.touch(session, workspaceId, batchId)) throw JobsError.batch_sealed({ batchId })
    }
    const ready: RunRow[] = []
    for (const run of rows) ready.push(await begin(needs, session, run, clock.now()))
    return ready
  }

  function answer (run: RunRow, kept: AddedRun & { dataHash: string }): AddedRun {
    const { id, state, isNew, dataHash } = kept
    const isOther = dataHash !== run.dataHash && run.dedupe === undefined
    if (!isNew && isOther) throw JobsError.key_reused({ job: run.name, id })
    if (isNew) onAdded(run.queue, run.workspaceId, id)
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
      const [run] = await prepare(session, [toRun(job as unknown as JobDefinition, data, options)]) as [RunRow]
      return await addOne(session, run)
    },

    async addMany (session: Session, job, items) {
      known(job)
      const rows = items.map(({ data, options = {} }) => toRun(job as unknown as JobDefinition, data, options))
      const answers: AddedRun[] = []
      for (const group of Map.groupBy(rows, (run) => run.workspaceId).values()) {
        const ready = await prepare(session, group)
        const place = (run: RunRow): number => rows.indexOf(group[ready.indexOf(run)] as RunRow)
        const [plain, deduped] = [ready.filter((run) => !run.dedupe), ready.filter((run) => run.dedupe)]
        for (const run of deduped) answers[place(run)] = await addOne(session, run)
        const kept = await runs.addMany(session, plain)
        kept.forEach((one, i) => { answers[place(plain[i] as RunRow)] = answer(plain[i] as RunRow, one) })
      }
      return answers
    },

    async addWorkflow (session: Session, workflow) {
      for (const { job } of Object.values(workflow.nodes)) known(job)
      const { id, rows, byNode } = toWorkflow(workflow, (node, options) => toRun(node.job, node.data, options), clock)
      const [first] = rows
      if (rows.some((run) => run.workspaceId !== first?.workspaceId)) {
        throw JobsError.schema_mismatch({}, { detail: 'The runs of a workflow belong to one workspace.' })
      }
      await backlog.check(first?.workspaceId ?? '', rows.length)
      await runs.insert(session, rows)
      for (const { _id, queue, workspaceId, state } of rows) if (state === 'pending') onAdded(queue, workspaceId, _id)
      return { id, runs: byNode }
    },

    ...lossy
  }
}

/** Order and names of what it takes before its release. */
function contestOf (
  job: JobDefinition, data: unknown, { resources = [], rank = 0, slotAt }: AddOptions, target: string | undefined
): Pick<RunRow, 'resources' | 'rank' | 'slotAt'> {
  const names = [...new Set([...job.resources?.(data) ?? [], ...resources])].toSorted()
  if (names.length === 0 && target === undefined) return {}
  return { ...(names.length > 0 && { resources: names }), rank, ...(slotAt && { slotAt }) }
}

/** What the caller said of the run itself. */
function asked (
  options: AddOptions
): Partial<Pick<RunRow, 'key' | 'lane' | 'cost' | 'runAt' | 'deadlineAt' | 'cause' | 'batchId'>> {
  const names = ['lane', 'cost', 'runAt', 'deadlineAt', 'cause', 'batchId'] as const
  const given = Object.fromEntries(names.flatMap((name) => options[name] === undefined ? [] : [[name, options[name]]]))
  return options.key === undefined ? given : { ...given, key: scopedKey(options.key, options.scope, currentContext()) }
}

/** The workspace in the payload, else the one asked for, else the one at work. */
export function workspaceOf (data: unknown, { workspaceId }: { workspaceId?: string }): string {
  const inData = typeof data === 'object' && data !== null ? (data as { workspaceId?: unknown }).workspaceId : undefined
  if (typeof inData === 'string') return inData
  return workspaceId ?? currentContext()?.actor?.workspaceId ?? ''
}
