export { permissions } from './access.ts'
export { analytics } from './analytics.ts'
export { SocialError } from './errors.ts'
export { createDailyReport } from './daily-report.ts'
export { events } from './events.ts'
export { collections } from './indexes.ts'
export { disconnectAccount, fetchAsset, jobs, probeAccount, syncAccount } from './jobs.ts'
export { presentPost } from './present.ts'
export { createSocialRepositories } from './repository/index.ts'
export {
  AccountHealthSchema, AccountPageSchema, AccountPatchSchema, AccountSchema, AssetPageSchema, AssetSchema,
  ConnectionSchema, NewConnectionSchema, PostPageSchema, PostSchema, ProfileSchema, ReconnectSchema, ReportSchema,
  SocialDownloadPageSchema, assetKinds, assetStates, healthStates, platforms, postKinds, schemas
} from './schemas.ts'
export { createSocialService, type SocialService } from './service.ts'
export {
  noteFailedDownload, noteReadyFile, noteRejectedFile, publishHealth, publishPosts, subscribers
} from './subscribers.ts'
export { accountTopic, downloadsTopic, feedTopic, topics } from './topics.ts'
