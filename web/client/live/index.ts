export { createLive, type Live, type Subscription } from './live.ts'
export type { Collection, CollectionOptions } from './collection.ts'
export type {
  Handlers, ListState, LiveInfo, LiveOptions, LiveProblem, LiveStatus, Position, Pub
} from './types.ts'
