import {
  isDomainError, uuidv7,
  type BackupStore, type Clock, type EventBus, type InvariantDefinition, type JobContext, type JobSender,
  type Log, type Session, type Store, type Tx
} from '../../kernel/index.ts'
import { JobsError } from '../errors.ts'
import type { BackupRepository, BackupRow, DumpRepository, RestoreRepository } from '../repository.ts'
import { backUpDatabase, proveBackup } from '../standing/jobs.ts'
import { backupFailed, backupProven } from '../standing/events.ts'
import { keptOf } from './kept.ts'
import { manifestPart, readManifest, type Manifest } from './manifest.ts'
import { compareData, compareShapes, indexExpiring, restoreInto } from './restorer.ts'
import { writeBackup } from './writer.ts'

const dayMs = 86_400_000
const failedKeptDays = 90
/** The work of no tenant: one serial for all backups. */
const installation = { workspaceId: '' }

/** A database beside the one that is served, for the time of a proof. */
export interface Scratch { target: RestoreRepository, dump: DumpRepository, store: Store }

export interface BackupParts {
  backups: BackupRepository
  dump: DumpRepository
  /** Opens the database of a name that begins with `scratchPrefix`. */
  scratch: (name: string) => Scratch
  /** Drops the databases that a killed proof left behind. */
  dropScratches: (prefix: string) => Promise<void>
  store: () => BackupStore
  key: Buffer | null
  codeVersion: string
  invariants: () => Iterable<InvariantDefinition>
  jobs: () => JobSender
  events: () => EventBus
  tx: Tx
  clock: Clock
  log: Log
}

interface Failure { code: string, message: string }
type BackUpContext = JobContext<object>
type ProveContext = JobContext<{ backupId: string | null }>

export type BackupService = ReturnType<typeof createBackupService>

/** Backups of the database that count when they were restored and compared (`jobs.md` 4.10). */
export function createBackupService (parts: BackupParts) {
  const { backups, dump, store, clock, tx, log, codeVersion } = parts

  function keyOf (): Buffer {
    if (parts.key === null) throw JobsError.backup_key_missing()
    return parts.key
  }

  async function tellFailed (session: Session, id: string, { code, message }: Failure): Promise<void> {
    await backups.setFailed(session, id, { code, message: message.slice(0, 500) }, clock.now())
    await parts.events().emit(session, backupFailed, { backupId: id, code, message: message.slice(0, 500) },
      { type: 'backup', id }, installation)
  }

  /** What was begun and is not whole leaves the target; older backups stay. */
  async function giveUp (id: string, error: unknown): Promise<void> {
    const failure = isDomainError(error)
      ? { code: error.code, message: error.message }
      : { code: 'interrupted', message: error instanceof Error ? error.message : String(error) }
    await tx(async (session) => { await tellFailed(session, id, failure) })
    await remove(id)
  }

  async function remove (id: string): Promise<void> {
    await store().remove(id)
    await backups.forget(id)
  }

  async function backUp (ctx: BackUpContext): Promise<void> {
    const startedAt = clock.now()
    const id = uuidv7(startedAt.getTime())
    try {
      await sweepAbandoned()
      const { manifest, bytes } = await write(ctx, id, startedAt)
      await ctx.commit(async (session) => {
        await backups.setWritten(session, id, {
          endedAt: clock.now(),
          clusterTime: new Date(manifest.clusterTime),
          bytes,
          collections: manifest.collections.map(({ name, count, bytes }) => ({ name, count, bytes }))
        })
      }, { backupId: id })
    } catch (error) {
      // Shut down, or somebody else has the run: it is tried again, and nothing has failed yet.
      if (ctx.signal.aborted) await remove(id)
      else await giveUp(id, error)
      throw error
    }
    await prune()
  }

  async function write (ctx: BackUpContext, id: string, startedAt: Date) {
    // Also a backup that is refused stands in the list.
    await backups.begin(id, startedAt, [])
    return await writeBackup({ dump, store: store(), key: keyOf(), codeVersion }, {
      id,
      startedAt,
      signal: ctx.signal,
      onParts: async (names) => { await backups.setParts(id, [...names, manifestPart]) },
      onCollection (done, total) { ctx.progress({ done, total, unit: 'collections' }) }
    })
  }

  /** Parts of backups that never got their manifest: the worker died. Backups run one at a time. */
  async function sweepAbandoned (): Promise<void> {
    for (const { _id, state, error } of await backups.stored()) {
      if (state === 'failed' && error?.code === 'unfinished') await remove(_id)
    }
  }

  /** Lets go of what no rule keeps; damaged ones stay a week for whoever looks into it. */
  async function prune (): Promise<void> {
    const all = await backups.stored()
    const kept = keptOf(all.map(({ _id, startedAt, state }) => ({ id: _id, startedAt, state })))
    const weekAgo = clock.ms() - 7 * dayMs
    for (const { _id, state, startedAt } of all) {
      if (kept.has(_id) || (state === 'failed' && startedAt.getTime() > weekAgo)) continue
      await remove(_id)
    }
    await backups.forgetFailed(new Date(clock.ms() - failedKeptDays * dayMs))
  }

  async function prove (ctx: ProveContext): Promise<void> {
    const key = keyOf()
    const row = await wanted(ctx.run.data.backupId)
    const startedMs = clock.ms()
    const findings = await tryRestore(ctx, row, key)
    const rtoS = Math.ceil((clock.ms() - startedMs) / 1000)
    const rpoS = Math.max(0, Math.round((startedMs - (row.clusterTime ?? row.startedAt).getTime()) / 1000))
    const [first] = findings
    await ctx.commit(async (session) => {
      if (first !== undefined) {
        await tellFailed(session, row._id, { code: 'jobs.backup_damaged', message: findings.join('; ') })
        return
      }
      await backups.setProven(session, row._id, { provenAt: clock.now(), rpoS, rtoS })
      await parts.events().emit(session, backupProven, { backupId: row._id, rpoS, rtoS },
        { type: 'backup', id: row._id }, installation)
    }, { backupId: row._id, isProven: first === undefined })
    if (first !== undefined) log.error({ backup: row._id, findings }, 'a backup is damaged')
    await prune()
  }

  async function wanted (id: string | null): Promise<BackupRow> {
    const row = id === null ? await backups.newest() : await backups.find(id)
    if (row === undefined || row.parts.length === 0) throw JobsError.backup_not_found(id === null ? {} : { id })
    return row
  }

  /** What differs between the backup and what comes back of it; damage of the store's bytes is a finding. */
  async function tryRestore (ctx: ProveContext, { _id }: BackupRow, key: Buffer): Promise<string[]> {
    const prefix = `${dump.name.slice(0, 40)}_proof_`
    await parts.dropScratches(prefix)
    const scratch = parts.scratch(`${prefix}${_id.slice(-12)}`)
    try {
      const manifest = await readManifest(store(), key, _id)
      await restoreInto(scratch.target, manifest, {
        store: store(),
        key,
        signal: ctx.signal,
        onCollection (name) { ctx.progress({ done: 0, unit: 'collections', step: name.slice(0, 64) }) }
      })
      return await compare(scratch, manifest)
    } catch (error) {
      const isDamage = isDomainError(error, 'jobs.backup_damaged') || isDomainError(error, 'jobs.backup_not_found')
      if (!isDamage) throw error
      return [(error as Error).message]
    } finally {
      await scratch.target.drop()
    }
  }

  async function compare (scratch: Scratch, manifest: Manifest): Promise<string[]> {
    const findings = await compareData(scratch.dump, manifest)
    const backup = { id: manifest.id, clusterTime: new Date(manifest.clusterTime) }
    for (const { name, check } of parts.invariants()) {
      const broken = await check(scratch.store, backup)
      findings.push(...broken.slice(0, 20).map((sentence) => `${name}: ${sentence}`))
    }
    await indexExpiring(scratch.target, manifest)
    return [...findings, ...await compareShapes(scratch.dump, manifest)]
  }

  return {
    backUp,
    prove,
    prune,

    /** Newest first; one more than `limit`. */
    list: async ({ limit, before }: { limit: number, before?: string }): Promise<BackupRow[]> =>
      await backups.list({ limit: limit + 1, ...(before === undefined ? {} : { before }) }),

    /** Starts a backup now; answers its run. Throws `jobs.backup_key_missing`. */
    async start (): Promise<string> {
      keyOf()
      return await tx(async (session) =>
        (await parts.jobs().add(session, backUpDatabase, {}, { ...installation, lane: 'interactive' })).id)
    },

    /** Starts the proof of a backup; answers its run. Throws `jobs.backup_key_missing`, `jobs.backup_not_found`. */
    async startProof (id: string): Promise<string> {
      keyOf()
      await wanted(id)
      return await tx(async (session) =>
        (await parts.jobs().add(session, proveBackup, { backupId: id }, { ...installation, lane: 'interactive' })).id)
    }
  }
}
