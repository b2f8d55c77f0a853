import type { FastifyPluginAsync } from 'fastify'
import {
  disconnectAccount, fetchAsset, noteFailedDownload, noteReadyFile, noteRejectedFile, probeAccount, publishHealth,
  publishPosts, syncAccount
} from '../src/social/index.ts'

const social: FastifyPluginAsync = async (app) => {
  const { sync, probes, assets, feed } = app.social
  app.handleJob(syncAccount, sync)
  app.handleJob(probeAccount, probes.probe)
  app.handleJob(disconnectAccount, probes.disconnect)
  app.handleJob(fetchAsset, assets.runFetch)

  app.onEvent(publishPosts, feed.publishPosts)
  app.onEvent(publishHealth, feed.publishHealth)
  app.onEvent(noteFailedDownload, async ({ workspaceId, data }) => { await assets.noteFailed(workspaceId, data) })
  app.onEvent(noteReadyFile, async ({ workspaceId, data }) => { await assets.noteReady(workspaceId, data.fileId) })
  app.onEvent(noteRejectedFile, async ({ workspaceId, data }) => {
    await assets.noteRejected(workspaceId, data.fileId, data.reason)
  })
}

export default social
