export { downloadOf, isWanted } from './assets.ts'
export { storeProfile } from './profile.ts'
export { runSync } from './run.ts'
export { SignInNeeded, read, type SyncCollaborators, type SyncContext } from './turn.ts'
