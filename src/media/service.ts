import type { Static } from 'typebox'
import type { Clock, DomainEvent, EventBus, JobContext, JobSender, Session, Storage } from '../kernel/index.ts'
import type { downloadCompleted } from '../fetch/index.ts'
import { createDelivery } from './delivery.ts'
import { fileReady, fileRejected } from './events.ts'
import type { ImageFacts, ImagePort } from './images.ts'
import { processFile } from './jobs.ts'
import { expiryOf, type FileLinks, type Links } from './links.ts'
import { examine, type Outcome } from './pipeline.ts'
import { thumbRecipe } from './presets.ts'
import type { FileRow, MediaRepository } from './repository.ts'

interface Collaborators {
  files: MediaRepository
  storage: Storage
  links: Links
  events: EventBus
  jobs: JobSender
  clock: Clock
}

type Completed = DomainEvent<Static<typeof downloadCompleted.data>>
type ProcessContext = Pick<JobContext<{ workspaceId: string, fileId: string }>, 'run' | 'signal' | 'commit' | 'log'>

export type MediaService = ReturnType<typeof createMediaService>

export function createMediaService ({ files, storage, links, events, jobs, clock }: Collaborators) {
  async function settle (session: Session, file: FileRow, outcome: Outcome): Promise<void> {
    const { _id: fileId, purpose, workspaceId } = file
    const subject = { type: 'file', id: fileId }
    if (outcome.state === 'rejected') {
      const { reason, steps } = outcome
      if (!await files.markRejected(session, file, reason, steps)) return
      await events.emit(session, fileRejected, { fileId, purpose, reason }, subject, { workspaceId })
      return
    }
    const { ready, steps } = outcome
    if (!await files.markReady(session, file, ready, thumbRecipe, steps)) return
    const { type, width, height, frames, master } = ready
    const data = {
      fileId,
      purpose,
      type: type ?? master.type,
      bytes: master.bytes,
      sha256: master.sha256,
      width: width ?? 1,
      height: height ?? 1,
      frames: frames ?? 1
    }
    await events.emit(session, fileReady, data, subject, { workspaceId })
  }

  return {
    /** A finished download becomes a file that waits for its checks; a repeated event changes nothing. */
    async receive (session: Session, { workspaceId, data }: Pick<Completed, 'workspaceId' | 'data'>): Promise<void> {
      const { fileId, downloadId, purpose, storageKey, bytes, sha256, type, name = null } = data
      const original = { bytes, sha256, type }
      const received = { workspaceId, fileId, downloadId, purpose, name, incomingKey: storageKey, original }
      await files.addReceived(session, received)
      await jobs.add(session, processFile, { workspaceId, fileId }, { key: `process:${fileId}`, workspaceId })
    },

    /** Checks and cleans a file; ready or rejected it ends once, and its original goes. */
    async process<F extends ImageFacts> (ctx: ProcessContext, images: ImagePort<F>): Promise<void> {
      const { workspaceId, fileId } = ctx.run.data
      const file = await files.find(workspaceId, fileId)
      if (file === undefined) return
      if (file.state === 'received') {
        const outcome = await examine(file, { storage, images, clock, signal: ctx.signal })
        if (outcome.state === 'rejected') ctx.log.info({ fileId, reason: outcome.reason }, outcome.message)
        await ctx.commit(async (session) => { await settle(session, file, outcome) })
      }
      await storage.delete(file.incomingKey)
    },

    /** Signed addresses of those of the files that are ready. */
    async links (workspaceId: string, fileIds: readonly string[]): Promise<Map<string, FileLinks>> {
      const expiresS = expiryOf(clock.ms())
      const expiresAt = new Date(expiresS * 1000).toISOString()
      const rows = fileIds.length === 0 ? [] : await files.findReady(workspaceId, fileIds)
      return new Map(rows.map(({ _id, sha256, type }) => {
        const target = { workspaceId, hash: sha256 ?? '' }
        return [_id, {
          url: links.of({ ...target, preset: 'content', type: type ?? '' }, expiresS),
          thumbUrl: links.of({ ...target, preset: 'thumb', type: 'image/webp' }, expiresS),
          expiresAt
        }]
      }))
    },

    deliver: createDelivery({ files, storage, links, clock })
  }
}
