// What the proofs of the runtime have in common: an app that adds and looks, and what must hold in the end.
import type { FastifyInstance } from 'fastify'
import { dropPlace, newPlace, rig, until, type Place } from '../../jobs/rig.ts'
import { declared, effectJob, effectsOf } from '../../jobs/victim.ts'

export type Row = Record<string, unknown> & { _id: string, startedAt: Date, starts: number, steps?: object }
export const runs = (app: FastifyInstance) => app.db.collection<Row>('jobs.runs')
export const letters = (app: FastifyInstance) => app.db.collection('jobs.letters')
export const ws = { workspaceId: 'w' }

/** Throws where a criterion is missed. */
export function must (holds: boolean, what: string): void {
  if (!holds) throw new Error(what)
}

export async function addEffects (app: FastifyInstance, count: number, ms: number): Promise<string[]> {
  const ids: string[] = []
  for (let from = 0; from < count; from += 500) {
    const many = Array.from({ length: Math.min(500, count - from) }, () => ({ data: { ms }, options: ws }))
    const added = await app.tx(async (session) => await app.jobs.addMany(session, effectJob, many))
    ids.push(...added.map(({ id }) => id))
  }
  return ids
}

export const doneOf = async (app: FastifyInstance, ids: readonly string[]): Promise<number> =>
  await runs(app).countDocuments({ _id: { $in: [...ids] }, state: 'done' })

/** 0 lost, 0 double, 0 condemned. */
export async function allOnce (app: FastifyInstance, ids: readonly string[], withinMs: number): Promise<void> {
  await until('0 lost', async () => await doneOf(app, ids) === ids.length, withinMs).catch(async (error: unknown) => {
    const left = await runs(app).aggregate([
      { $match: { _id: { $in: [...ids] }, state: { $ne: 'done' } } },
      { $group: { _id: { state: '$state', heldBy: '$heldBy', name: '$name', starts: '$starts' }, count: { $sum: 1 } } },
      { $sort: { count: -1 } }, { $limit: 10 }
    ]).toArray()
    throw new Error(left.map(({ _id, count }) => `${count} ${JSON.stringify(_id)}`).join(', '), { cause: error })
  })
  const single = await effectsOf(app).countDocuments({ _id: { $in: [...ids] }, count: 1 })
  must(single === ids.length, `${ids.length - single} effects are not exactly one`)
  must(await letters(app).countDocuments() === 0, 'a run was condemned')
}

/** An app that adds and looks, closed and dropped in the end. */
export async function stage<T> (
  work: (app: FastifyInstance, place: Place) => Promise<T>, options: Partial<Parameters<typeof rig>[0]> = {}
): Promise<T> {
  const place = options.place ?? newPlace()
  const app = await rig({ place, role: 'server', declared, ...options })
  try {
    return await work(app, place)
  } finally {
    await app.close()
    await dropPlace(place)
  }
}
