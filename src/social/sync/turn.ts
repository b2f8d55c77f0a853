import { setTimeout as pause } from 'node:timers/promises'
import type { Static } from 'typebox'
import type {
  Clock, EventBus, JobContext, JobSender, SafeFetch, Tx
} from '../../kernel/index.ts'
import type { OpenCall } from '../calls.ts'
import { Refusal, type Call, type Connector } from '../connectors/port.ts'
import type { syncAccount } from '../jobs.ts'
import type { AccountRepository, StoredAccount } from '../repository/accounts.ts'
import type { AssetRepository } from '../repository/assets.ts'
import type { CursorRepository, StoredCursor } from '../repository/cursors.ts'
import type { PostRepository } from '../repository/posts.ts'
import type { ProfileRepository } from '../repository/profiles.ts'
import type { Evidence, Limit, Sync } from '../schemas.ts'
import type { Vault } from '../secrets.ts'
import { errorOf, evidenceOf } from '../verdicts.ts'

export interface SyncCollaborators {
  accounts: AccountRepository
  assets: AssetRepository
  cursors: CursorRepository
  posts: PostRepository
  profiles: ProfileRepository
  connectors: ReadonlyMap<string, Connector>
  vault: Vault
  openCall: OpenCall
  fetch: Pick<SafeFetch, 'download'>
  events: EventBus
  jobs: JobSender
  tx: Tx
  clock: Clock
}

export type SyncContext = JobContext<Static<typeof syncAccount.data>>

/** One start of a sync run: what it works on and what it has done. */
export interface Turn {
  ctx: SyncContext
  account: StoredAccount
  cursor: StoredCursor
  connector: Connector
  startedMs: number
  requests: number
  pages: number
  items: number
  limits: Limit[]
  /** When the account last showed the progress. */
  shownMs: number
}

/** The platform refused the current token twice. */
export class SignInNeeded extends Error {
  override readonly name = 'SignInNeeded'
  readonly evidence: Evidence

  constructor (evidence: Evidence) {
    super('the account must be signed in again')
    this.evidence = evidence
  }
}

/** The run has worked long enough: another one goes on at the cursor. */
export class HandOver extends Error {
  override readonly name = 'HandOver'
}

const longestSleepMs = 10_000
const longestRunMs = 90_000
const mostRequests = 1000
// A timer may fire a moment early; the platform's pause is a least.
const timerSlackMs = 15

/** What a call needs of the account; a probe has no page to show for it. */
export interface Reading {
  ctx: Pick<SyncContext, 'signal' | 'wait'>
  account: StoredAccount
  connector: Connector
}

/** One read of the platform with the opened token: a pause is waited out, a refused token is tried twice. */
export async function read<T> (
  { vault, openCall, clock }: Pick<SyncCollaborators, 'vault' | 'openCall' | 'clock'>,
  { ctx, account }: Reading, step: string, work: (call: Call) => Promise<T>
): Promise<T> {
  const { platform, instance, workspaceId, id: accountId } = account
  let isSecond = false
  for (;;) {
    try {
      return await vault.openSecret({ workspaceId, accountId }, async ({ accessToken: token }) =>
        await work(openCall({ platform, instance, token, signal: ctx.signal })))
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      const { verdict } = error
      if (verdict.kind === 'wait') {
        await waitOut(ctx, clock, verdict.waitMs)
        continue
      }
      if (verdict.kind !== 'reauth' && verdict.kind !== 'scope') throw errorOf(error)
      // Refused once proves nothing: the token may have changed meanwhile, or the platform may have erred.
      if (isSecond) throw new SignInNeeded(evidenceOf(error, step, 'call', clock.now()))
      isSecond = true
      vault.forget(accountId)
    }
  }
}

/** A short pause is slept in the run, a long one gives the run back; neither spends an attempt. */
async function waitOut (ctx: Reading['ctx'], clock: Clock, waitMs: number): Promise<void> {
  if (waitMs > longestSleepMs) ctx.wait(new Date(clock.ms() + waitMs))
  await pause(waitMs + timerSlackMs, undefined, { signal: ctx.signal })
}

/** A read that counts against the run. Throws `HandOver` where its budget is spent. */
export async function readCounted<T> (
  collaborators: SyncCollaborators, turn: Turn, step: string, work: (call: Call) => Promise<T>
): Promise<T> {
  if (turn.requests >= mostRequests) throw new HandOver('the requests of this run are spent')
  turn.requests++
  return await read(collaborators, turn, step, work)
}

export function isOver (turn: Turn, clock: Clock): boolean {
  return clock.ms() - turn.startedMs >= longestRunMs || turn.requests >= mostRequests
}

export function syncOf ({ ctx, pages, items }: Turn, state: Sync['state']): Sync {
  return { runId: ctx.run.id, pages, items, state }
}

/** What the cursor keeps of the run. */
export function runOf ({ ctx, pages, items }: Turn): StoredCursor['run'] {
  return { id: ctx.run.id, pages, items }
}

export function progressOf ({ account, items, pages }: Turn) {
  const total = account.counts.posts
  return {
    done: items, ...(total === undefined ? {} : { total: Math.max(total, items) }), unit: 'posts', step: `page ${pages}`
  }
}
