import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import {
  createBackupRepository, createBackupService, createClaimCheckRepository, createClaimChecks, createClearing,
  createClearingRepository, createControlRepository, createDumpRepository, createFolderStore,
  createProjectionRepository,
  createProjectionService, createReportRepository, createReportService, createRestoreRepository,
  createStorageStore, standingCollections, standingEvents, standingInvariants, standingJobs, standingPermissions,
  standingSchemas, type BackupService, type Clearing, type ProjectionService, type ReportService
} from '../../src/jobs/index.ts'
import { projectorsOf, type BackupStore, type ClaimChecks, type WorkspaceDirectory } from '../../src/kernel/index.ts'

export interface StandingOptions {
  /** 32 bytes; null: backups are refused. */
  backupKey: Buffer | null
  /** A folder, or `storage`. */
  backupStore: string
  /** Folder whose rotated log files are cleared; empty: none. */
  logDir: string
}

declare module 'fastify' {
  interface FastifyInstance {
    backups: BackupService
    clearing: Clearing
    /** Data that is too big for a run, in the storage. */
    claimChecks: ClaimChecks
    reports: ReportService
    projections: ProjectionService
    /** Called by the domain that knows workspaces. */
    setWorkspaceDirectory: (directory: WorkspaceDirectory) => void
  }
}

/** Where the driver of the storage keeps its bytes. */
const storageCollections = ['media.objects.files', 'media.objects.chunks']

/** Backups, retention, reports and projections (`jobs.md` 4.9, 4.10). Upper floors are asked for when work begins. */
export function decorateStanding (app: FastifyInstance, options: StandingOptions, codeVersion: string): void {
  const { db, clock, tx, registry, log } = app
  const restore = createRestoreRepository(db)
  const backups = createBackupRepository(db)
  let directory: WorkspaceDirectory | undefined

  app.declare({
    domain: 'jobs',
    events: standingEvents,
    jobs: standingJobs,
    permissions: standingPermissions,
    collections: standingCollections,
    invariants: standingInvariants,
    schemas: standingSchemas
  })
  app.decorate('setWorkspaceDirectory', (given) => { directory = given })
  const claimChecks = createClaimChecks({ rows: createClaimCheckRepository(db), storage: () => app.storage, clock })
  app.decorate('claimChecks', claimChecks)
  app.decorate('clearing', createClearing({
    claimChecks,
    clearings: createClearingRepository(db),
    rules: () => registry.retentions.values(),
    storage: () => app.storage,
    logDir: options.logDir,
    clock
  }))
  app.decorate('backups', createBackupService({
    backups,
    dump: createDumpRepository(db),
    scratch (name) {
      const beside = restore.beside(name)
      return { target: createRestoreRepository(beside), dump: createDumpRepository(beside), store: beside }
    },
    async dropScratches (prefix) {
      for (const name of await restore.namesFrom(prefix)) await createRestoreRepository(restore.beside(name)).drop()
    },
    store: (): BackupStore => options.backupStore === 'storage'
      ? createStorageStore({
        storage: app.storage,
        holds: storageCollections,
        known: async () => (await backups.stored()).map(({ _id, parts }) => ({ id: _id, parts }))
      })
      : createFolderStore(join(options.backupStore, db.databaseName)),
    key: options.backupKey,
    codeVersion,
    invariants: () => registry.invariants.values(),
    jobs: () => app.jobs,
    events: () => app.events,
    tx,
    clock,
    log
  }))
  app.decorate('reports', createReportService({
    reports: createReportRepository(db),
    runs: createControlRepository(db),
    definitions: registry.reports,
    directory: () => directory,
    storage: () => app.storage,
    tables: () => app.tables,
    jobs: () => app.jobs,
    events: () => app.events,
    tx,
    clock
  }))
  app.decorate('projections', createProjectionService({
    projections: createProjectionRepository(db), definitions: registry.projections, jobs: () => app.jobs, tx
  }))
}

/** Handlers of the subscribers that keep projections up; when everything is declared. */
export function bindProjectors (app: FastifyInstance): void {
  for (const projection of app.registry.projections.values()) {
    for (const subscriber of projectorsOf(projection)) {
      app.onEvent(subscriber, async (event, ctx) => { await app.projections.apply(projection, event, ctx) })
    }
  }
}
