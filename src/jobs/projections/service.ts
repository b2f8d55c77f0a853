import type {
  DomainEvent, JobContext, JobSender, ProjectionDefinition, ProjectionState, Session, Tx
} from '../../kernel/index.ts'
import type { ProjectionPlace, ProjectionRepository } from '../repository.ts'
import { JobsError } from '../errors.ts'
import { rebuildProjection } from '../standing/jobs.ts'
import { catchUp, rowIdOf } from './fold.ts'

const pageSize = 1000
/** A process of an older version leaves the work to those that know the new one. */
const olderWaitMs = 5000

export interface ProjectionParts {
  projections: ProjectionRepository
  definitions: ReadonlyMap<string, ProjectionDefinition>
  jobs: () => JobSender
  tx: Tx
}

type RebuildContext = JobContext<{ name: string, version: number }>

export type ProjectionService = ReturnType<typeof createProjectionService>

/** Rows folded from the log, kept up by subscribers, built anew beside the ones that are read (`jobs.md` 4.9). */
export function createProjectionService ({ projections, definitions, jobs, tx }: ProjectionParts) {
  function isOlder ({ version }: ProjectionDefinition, place: ProjectionPlace | undefined): boolean {
    return version < Math.max(place?.version ?? 0, place?.shadowVersion ?? 0)
  }

  /** The effect of an event on its row, also on the one that is being built. */
  async function apply (projection: ProjectionDefinition, event: DomainEvent, ctx: JobContext<unknown, unknown>) {
    if (isOlder(projection, await projections.place(projection.name))) ctx.wait(olderWaitMs)
    const shadow = await ctx.commit(async (session) => {
      const beside = (await projections.place(projection.name, session))?.shadow ?? null
      await catchUp(projections, session, projection, projection.name, [event])
      if (beside !== null) await catchUp(projections, session, projection, beside, [event])
      return beside
    })
    // Swapped meanwhile: the write made the name anew, and nobody reads it.
    if (shadow !== null && (await projections.place(projection.name))?.shadow !== shadow) await projections.drop(shadow)
  }

  async function rebuild (ctx: RebuildContext): Promise<void> {
    const { name, version } = ctx.run.data
    const projection = definitions.get(name)
    if (projection === undefined) throw JobsError.projection_not_found({ name })
    if (projection.version < version) ctx.wait(olderWaitMs)
    if (projection.version > version) return
    const place = await begin(ctx, projection)
    const shadow = place.shadow ?? ''
    if (place.uuid === undefined) await fill(ctx, projection, shadow, place.after ?? null)
    await swap(ctx, projection, shadow)
  }

  /** From here on every event that is applied goes into the shadow too. */
  async function begin (ctx: RebuildContext, { name, version }: ProjectionDefinition): Promise<ProjectionPlace> {
    const { id } = ctx.run
    const there = await projections.place(name)
    if (there?.runId === id && there.shadow !== null) return there
    const shadow = `${name}.shadow-${id.slice(-12)}`
    for (const old of await projections.shadows(name, shadow)) await projections.drop(old)
    await projections.createLike(shadow, name)
    const change = { shadow, shadowVersion: version, runId: id, after: null }
    await ctx.checkpoint(async (session) => { await projections.setPlace(session, name, change) })
    return { _id: name, version: there?.version ?? 0, ...change }
  }

  /**
   * The log from its beginning. What is committed behind the page that is read has its run start after `begin`, and
   * comes into the shadow that way.
   */
  async function fill (
    ctx: RebuildContext, projection: ProjectionDefinition, shadow: string, from: string | null
  ): Promise<void> {
    const types = projection.events.map((event) => event.name)
    let done = 0
    for (let after = from; ;) {
      ctx.signal.throwIfAborted()
      const page = await projections.page(types, after, pageSize)
      const last = page.at(-1)?._id
      if (last === undefined) return
      done += page.length
      const subjects = [...new Map(page.map((event) => [rowIdOf(event), event])).values()]
      await ctx.checkpoint(async (session: Session) => {
        await catchUp(projections, session, projection, shadow, subjects, page)
        await projections.setPlace(session, projection.name, { after: last })
      }, { done, unit: 'events' })
      after = last
    }
  }

  async function swap (ctx: RebuildContext, { name, version }: ProjectionDefinition, shadow: string): Promise<void> {
    const uuid = (await projections.place(name))?.uuid ?? await projections.uuidOf(shadow) ?? ''
    await ctx.checkpoint(async (session) => { await projections.setPlace(session, name, { uuid }) })
    if (await projections.uuidOf(shadow) === uuid) await projections.swap(shadow, name)
    await ctx.commit(async (session) => { await projections.finish(session, name, version) })
    // Whoever read the place before wrote once more beside it.
    if (await projections.uuidOf(shadow) !== undefined) await projections.drop(shadow)
  }

  return {
    apply,
    rebuild,

    /** Starts what has to be built because its version is a new one; once, however many workers boot. */
    async startLate (): Promise<number> {
      let started = 0
      for (const { name, version } of definitions.values()) {
        if ((await projections.place(name))?.version === version) continue
        await tx(async (session) => await jobs().add(
          session, rebuildProjection, { name, version }, { workspaceId: '', key: `projection:${name}:${version}` }))
        started++
      }
      return started
    },

    /** Builds a projection anew; answers the run. Throws `projection_not_found`. */
    async start (name: string): Promise<string> {
      const version = definitions.get(name)?.version
      if (version === undefined) throw JobsError.projection_not_found({ name })
      return await tx(async (session) =>
        (await jobs().add(session, rebuildProjection, { name, version }, { workspaceId: '' })).id)
    },

    /** The state of one subject, or undefined. */
    async find (name: string, workspaceId: string, subjectId: string): Promise<ProjectionState | undefined> {
      const id = rowIdOf({ workspaceId, subject: { type: '', id: subjectId } })
      return (await projections.find(name, workspaceId, id))?.state ?? undefined
    },

    /** States of a workspace by subject in ascending id. */
    async list (name: string, workspaceId: string, { after, limit }: { after?: string, limit: number }) {
      const from = after === undefined ? {} : { after: `${workspaceId}/${after}` }
      const rows = await projections.list(name, workspaceId, { ...from, limit })
      return rows.map(({ _id, v, state }) =>
        ({ subjectId: _id.slice(workspaceId.length + 1), version: v, state: state as ProjectionState }))
    }
  }
}
