import { setTimeout as wait } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { Counter, Gauge } from 'prom-client'
import type { LeaseTurn } from '../../src/kernel/index.ts'
import { createMarkRepository } from '../../src/system/index.ts'
import { createDocuments } from './listener/documents.ts'
import { createGather } from './listener/gather.ts'
import { createProgress, type Progress } from './listener/progress.ts'
import { resync } from './listener/resync.ts'
import { changeOf, pipelineOf, sourcesOf } from './listener/sources.ts'
import type { HubLive } from './live.ts'

const lease = 'system.listener'
const saveMs = 1000
const idleSaveMs = 60_000
const retryMs = 500
/** History lost, a token of another server, a stream that cannot go on. */
const lostCodes = new Set([286, 260, 280])

class StreamLost extends Error {
  override readonly name = 'StreamLost'
}

/** Competes for the lease and turns changed documents into publications while it is held (`social.md` 4.12). */
export function startListener (app: FastifyInstance, live: HubLive): void {
  const sources = sourcesOf(app.registry.topics, live.hub.bindings)
  if (sources.byCollection.size === 0) return
  const marks = createMarkRepository(app.db)
  const documents = createDocuments(app.db, live, sources)
  const registers = [app.metrics]
  const metrics = {
    lag: new Gauge({ name: 'switchyard_live_listener_lag_ms', help: 'Age of the last change read', registers }),
    resyncs: new Counter({ name: 'switchyard_live_listener_resyncs_total', help: 'Gaps of the stream', registers })
  }
  let isLost = false

  async function listen (turn: LeaseTurn): Promise<void> {
    const mark = isLost ? undefined : await marks.find(lease)
    const token = mark?.token ?? null
    const stream = app.db.watch(pipelineOf(sources), {
      maxAwaitTimeMS: 500, batchSize: 500, ...(token === null ? {} : { startAfter: token })
    })
    const stop = (): void => { stream.close().catch((error: unknown) => { app.log.debug({ err: error }, 'listener') }) }
    turn.signal.addEventListener('abort', stop, { once: true })
    const progress = createProgress(token)
    let failure: unknown
    const gather = createGather({
      ...documents,
      progress,
      onError (error) {
        failure ??= error
        stop()
      }
    })
    const read = async (): Promise<void> => {
      const event = await stream.tryNext()
      if (event === null) {
        progress.idle(stream.resumeToken)
        return
      }
      const change = changeOf(event, sources, progress.next(event._id))
      if (change === 'lost') throw new StreamLost('a collection is gone')
      const { wallTime } = event as { wallTime?: Date }
      if (wallTime !== undefined) metrics.lag.set(Math.max(0, app.clock.ms() - wallTime.getTime()))
      gather.add(change)
    }
    const save = createSaver(progress, async (next) => {
      const isOurs = await marks.save(lease, { token: next, fence: turn.fence, at: app.clock.now() })
      if (!isOurs) throw new Error('another process listens')
    })
    const follow = async (): Promise<void> => {
      while (!turn.signal.aborted && failure === undefined && !stream.closed) {
        await read()
        await save()
      }
      if (failure !== undefined) throw new Error('a publication of the listener failed', { cause: failure })
      if (stream.closed && !turn.signal.aborted) throw new StreamLost('the stream ended')
    }
    try {
      if (token === null) await begin(turn, read)
      await follow()
    } finally {
      turn.signal.removeEventListener('abort', stop)
      stop()
      await gather.stop()
    }
  }

  /** Without a place to go on from: the stream is open already, then everything that may have changed is published. */
  async function begin ({ signal }: LeaseTurn, read: () => Promise<void>): Promise<void> {
    await read()
    const old = await marks.find(lease)
    const count = await resync(app.db, { sources, documents, since: old?.at ?? app.clock.now(), signal })
    isLost = false
    metrics.resyncs.inc()
    app.log.info({ documents: count }, 'the listener published what may have changed')
  }

  app.leases.hold(lease, async (turn) => {
    while (!turn.signal.aborted) {
      try {
        await listen(turn)
      } catch (error) {
        if (turn.signal.aborted) return
        isLost = isLost || error instanceof StreamLost || lostCodes.has((error as { code?: number }).code ?? 0)
        app.log.warn({ err: error, isLost }, 'the listener begins again')
        await wait(retryMs, undefined, { signal: turn.signal }).catch(() => null)
      }
    }
  })
}

/** Saves a mark at most once a second, one that only moved because nothing came once a minute. */
function createSaver (progress: Progress, write: (token: unknown) => Promise<void>): () => Promise<void> {
  let savedMs = performance.now() - saveMs
  return async () => {
    const { token, isIdle } = progress.mark()
    const sinceMs = performance.now() - savedMs
    if (token === null || sinceMs < (isIdle ? idleSaveMs : saveMs)) return
    await write(token)
    progress.saved()
    savedMs = performance.now()
  }
}
