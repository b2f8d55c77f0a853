import type { Expected } from './content.ts'
import { until, type Json, type Rest } from './rest.ts'
import type { Stage } from './stage.ts'
import type { Watcher } from './watcher.ts'

export interface JobOptions {
  isSmall: boolean
  /** Something is killed on the way: figures must hold, times and counts of requests are wider. */
  isChaos: boolean
  /** The four kills of row 6, each by its count; without them something else does the killing. */
  isScripted: boolean
  /** Factor on the times of rows 7 to 9. */
  timeScale: number
  /** How long row 9 waits for a message that must not come. */
  quietMs: number
}

export interface Figures {
  posts: number
  favourites: number
  reblogs: number
  replies: number
  tagged: number
  pages: number
  batches: number
  downloads: number
  bytes: number
  ready: number
  rejected: number
  resumed: number
  discovered: number
  fired: number
  items: number
  mails: number
  secondSync: { writes: number, events: number, ratio: number }
  fullSync: { writes: number, events: number, ratio: number }
  listRequests: number
  seconds: number
}

export interface Person {
  email: string
  password: string
  userId: string
  workspaceId: string
  accessToken: string
  refreshToken: string
}

/** What the rows share while the script runs. */
export interface Job {
  stage: Stage
  expected: Expected
  options: JobOptions
  figures: Partial<Figures>
  /** Notes one condition of the row at work. */
  must: (isMet: boolean, sentence: string) => void
  /** Says how far the row at work is. */
  tell: (text: string) => void
  control: Rest
  sink: Rest
  /** Server A and server B as the person. */
  a: Rest
  b: Rest
  person: Person
  watchers: Record<'W' | 'V' | 'X' | 'Y', Watcher>
  accountId: string
  /** Milliseconds of the first sync, POST to last page. */
  firstSyncMs: number
  startedAt: number
  /** Settles with the kills and cuts that wait for their counts. */
  accidents: Promise<unknown>[]
  /** When the first file, page ... was seen. */
  alertId: string
  firedAt: number
  /** Ids of posts by REST at a fresh load, by watcher. */
  loaded: Map<string, Set<string>>
}

export interface Row {
  number: number
  title: string
  run: (job: Job) => Promise<void>
}

export function watchersOf (job: Job): Watcher[] {
  return Object.values(job.watchers)
}

/** Counts of the stand-in; with `until` it waits for one. */
export async function countsOf (job: Job, until?: string): Promise<Json> {
  const query = until === undefined ? '' : `?until=${until}&timeoutMs=120000`
  return await job.control.ask('GET', `/control/counts${query}`)
}

/** So long before a slot no sync of ours begins. */
const ownSyncMs = 20_000

/** Waits until the account rests and no slot of its rhythm is near: its run would count with ours, or refuse it. */
export async function awayFromSlot (job: Job): Promise<void> {
  await until('a time without a slot of the rhythm', 3 * ownSyncMs, async () => {
    const account = await job.a.ask('GET', `/v1/social/accounts/${job.accountId}`)
    // A run changes the account when it begins, and when it ends for the last time.
    const isAtRest = account.updatedAt === account.lastSuccessAt
    const untilMs = account.nextSyncAt === null ? Infinity : Date.parse(account.nextSyncAt) - Date.now()
    if (isAtRest && untilMs > ownSyncMs) return true
    job.tell(`the account reads by itself in ${Math.max(0, Math.ceil(untilMs / 1000))} s; this waits for that`)
    return false
  })
}
