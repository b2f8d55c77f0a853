import type { Db, Document, Filter } from 'mongodb'
import type { ProjectionState, Session } from '../../kernel/index.ts'
import type { EventRow } from './events.ts'

/** A row of a projection: the fold of one subject up to its version `v`; a state of null is no row for readers. */
export interface ProjectedRow {
  _id: string
  workspaceId: string
  v: number
  state: ProjectionState | null
}

/** A document of `jobs.projections` (P): which version is read, and what is built beside it. */
export interface ProjectionPlace {
  _id: string
  version: number
  shadow: string | null
  shadowVersion?: number
  /** The run that builds it. */
  runId?: string
  /** Id of the last event that is in the shadow. */
  after?: string | null
  /** Identity of the shadow once it is whole: a run that goes on sees whether it was swapped already. */
  uuid?: string
}

export type VersionedEvent = EventRow & { subject: { version: number } }
type SubjectKey = Pick<EventRow, 'workspaceId' | 'subject'>

/** What a query meets whose collection was swapped under it; asked again it finds the new one. */
const swapped = new Set([26, 43, 175, 246])

export type ProjectionRepository = ReturnType<typeof createProjectionRepository>

/** Projections and the log they are folded from (P: a rebuild sees all workspaces). */
export function createProjectionRepository (db: Db) {
  const places = db.collection<ProjectionPlace>('jobs.projections')
  const log = db.collection<EventRow>('jobs.events')

  async function uuidOf (name: string): Promise<string | undefined> {
    const [found] = await db.listCollections({ name }).toArray()
    return (found as { info?: { uuid?: { toString (): string } } } | undefined)?.info?.uuid?.toString()
  }

  return {
    async place (name: string, session?: Session): Promise<ProjectionPlace | undefined> {
      return await places.findOne({ _id: name }, { ...(session && { session }) }) ?? undefined
    },

    async setPlace (session: Session, name: string, change: Partial<Omit<ProjectionPlace, '_id'>>): Promise<void> {
      await places.updateOne({ _id: name },
        { $set: change, ...('version' in change ? {} : { $setOnInsert: { version: 0 } }) }, { session, upsert: true })
    },

    /** The new version is the one that is read; nothing stands beside it any more. */
    async finish (session: Session, name: string, version: number): Promise<void> {
      await places.replaceOne({ _id: name }, { version, shadow: null }, { session, upsert: true })
    },

    /** Rows of a collection by id. */
    async rows (session: Session, collection: string, ids: readonly string[]): Promise<Map<string, ProjectedRow>> {
      const found = await db.collection<ProjectedRow>(collection)
        .find({ _id: { $in: [...ids] } }, { session }).toArray()
      return new Map(found.map((row) => [row._id, row]))
    },

    async save (session: Session, collection: string, rows: readonly ProjectedRow[]): Promise<void> {
      if (rows.length === 0) return
      await db.collection<ProjectedRow>(collection).bulkWrite(rows.map(({ _id, ...row }) => ({
        replaceOne: { filter: { _id }, replacement: row, upsert: true }
      })), { session, ordered: false })
    },

    /** Events of some subjects beyond the version that each is folded to, in order within each. */
    async since (
      session: Session, types: readonly string[], subjects: ReadonlyArray<SubjectKey & { v: number }>
    ): Promise<VersionedEvent[]> {
      if (subjects.length === 0) return []
      return await log.find({
        $or: subjects.map(({ workspaceId, subject: { type, id }, v }) => ({
          workspaceId, 'subject.type': type, 'subject.id': id, 'subject.version': { $gt: v }
        })),
        type: { $in: [...types] }
      }, { session }).sort({ 'subject.version': 1 }).toArray() as VersionedEvent[]
    },

    /** The next events of the log, of all workspaces. */
    async page (types: readonly string[], after: string | null, limit: number): Promise<VersionedEvent[]> {
      return await log.find({
        type: { $in: [...types] }, ...(after === null ? {} : { _id: { $gt: after } })
      }).sort({ _id: 1 }).limit(limit).toArray() as VersionedEvent[]
    },

    uuidOf,

    /** An empty collection with the indexes of another one. */
    async createLike (name: string, other: string): Promise<void> {
      if (await uuidOf(name) !== undefined) return
      await db.createCollection(name)
      const indexes = await uuidOf(other) === undefined ? [] : await db.collection(other).listIndexes().toArray()
      const wanted = indexes.filter(({ name }) => name !== '_id_')
      if (wanted.length > 0) await db.command({ createIndexes: name, indexes: wanted })
    },

    /** Collections that stand beside a projection, but for one. */
    async shadows (name: string, but: string): Promise<string[]> {
      const found = await db.listCollections({}, { nameOnly: true }).toArray()
      return found.map((one) => one.name).filter((one) => one.startsWith(`${name}.shadow-`) && one !== but)
    },

    async drop (name: string): Promise<void> {
      await db.collection(name).drop()
    },

    /** Takes the place of the collection that is read, at once. */
    async swap (shadow: string, name: string): Promise<void> {
      await db.renameCollection(shadow, name, { dropTarget: true })
    },

    async find (collection: string, workspaceId: string, id: string): Promise<ProjectedRow | undefined> {
      return await again(async () => await rowsOf(db, collection, { _id: id, workspaceId }, 1)).then(([row]) => row)
    },

    /** Rows of a workspace in ascending id, in one batch. */
    async list (
      collection: string, workspaceId: string, { after, limit }: { after?: string, limit: number }
    ): Promise<ProjectedRow[]> {
      const filter = { workspaceId, state: { $ne: null }, ...(after === undefined ? {} : { _id: { $gt: after } }) }
      return await again(async () => await rowsOf(db, collection, filter, limit))
    }
  }
}

async function rowsOf (db: Db, collection: string, filter: Document, limit: number): Promise<ProjectedRow[]> {
  return await db.collection<ProjectedRow>(collection).find(filter as Filter<ProjectedRow>)
    .sort({ _id: 1 }).limit(limit).batchSize(limit + 1).toArray()
}

async function again<T> (read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (!swapped.has(Number((error as { code?: unknown }).code))) throw error
    return await read()
  }
}
