export { createDownloadAccess, permissions } from './access.ts'
export { canonicalAddress, isDeniedAddress, literalOf } from './addresses.ts'
export { FetchError } from './errors.ts'
export { downloadCompleted, downloadFailed } from './events.ts'
export { collections } from './indexes.ts'
export { downloadFile } from './jobs.ts'
export { presentDownload, presentProgress } from './present.ts'
export { maxHeaderBytes, maxRatio, profiles, type Limits } from './profiles.ts'
export { createDownloadRepository, type DownloadRow } from './repository.ts'
export {
  DownloadPageSchema, DownloadProgressSchema, DownloadQuerySchema, DownloadSchema, NewDownloadSchema,
  type DownloadProgress, type DownloadState, type DownloadView
} from './schemas.ts'
export { createDownloadService, type DownloadService } from './service.ts'
export { createAllowed, parseTarget, type Allowed } from './targets.ts'
export { downloadTopic } from './topics.ts'
export { createDownloader, type Downloader } from './transfer.ts'
