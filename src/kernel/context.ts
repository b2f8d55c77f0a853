import { AsyncLocalStorage } from 'node:async_hooks'
import type { ActorRef } from './actor.ts'

export interface Cause { kind: 'request' | 'run' | 'event' | 'loop' | 'script', id: string }

/** What belongs to one request, job, command or loop turn. */
export interface Context {
  cause: Cause
  /** Counted starts of the run at work before this one. */
  attempt?: number
  /** W3C traceparent. */
  trace?: string
  actor?: ActorRef
  signal?: AbortSignal
  /** Milliseconds since the epoch after which nobody wants the answer. */
  deadlineMs?: number
}

const contexts = new AsyncLocalStorage<Context>()
const transactions = new AsyncLocalStorage<Map<symbol, unknown[]>>()

/** Runs `work` with its context; everything it awaits sees it. */
export function withContext<T> (context: Context, work: () => T): T {
  return contexts.run(context, work)
}

export function currentContext (): Context | undefined {
  return contexts.getStore()
}

/** Runs one attempt of a transaction with an empty list of notes. */
export function withNotes<T> (notes: Map<symbol, unknown[]>, work: () => T): T {
  return transactions.run(notes, work)
}

/** Leaves a note for a participant of the transaction at work; false where none is. */
export function leaveNote (key: symbol, note: unknown): boolean {
  const notes = transactions.getStore()
  if (notes === undefined) return false
  const list = notes.get(key)
  if (list === undefined) notes.set(key, [note])
  else list.push(note)
  return true
}
