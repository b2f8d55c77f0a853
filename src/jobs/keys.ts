import { hash } from 'node:crypto'
import type { Context, KeyScope, Subject } from '../kernel/index.ts'

/** Hash of what was asked for, the same for any order of its members: another hash is `jobs.key_reused`. */
export function dataHash (data: unknown): string {
  return hash('sha256', canonical(data), 'hex').slice(0, 32)
}

function canonical (value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => a < b ? -1 : 1)
    .map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`)
  return `{${members.join(',')}}`
}

/** Place within a serial: version of the subject for events, the id otherwise; compared as text. */
export function seqOf (id: string, subject?: Subject): string {
  return subject?.version === undefined ? id : `v${String(subject.version).padStart(16, '0')}`
}

/** The key as it is stored: what is unique within a run says which. Throws where no run is at work. */
export function scopedKey (key: string, scope: KeyScope = 'global', context?: Context): string {
  if (scope === 'global') return key
  if (context?.cause.kind !== 'run') throw new Error(`a key of scope ${scope} is for what a run adds`)
  return scope === 'parent' ? `in:${context.cause.id}:${key}` : `in:${context.cause.id}:${context.attempt ?? 0}:${key}`
}

/** One run per event and subscriber. */
export function eventKey (eventId: string, subscriber: string): string {
  return `evt:${eventId}:${subscriber}`
}

export function subjectSerial (subscriber: string, { type, id }: Subject): string {
  return `${subscriber}:${type}:${id}`
}

/** Id of a delivery: a run is delivered once per release. */
export function deliveryId (runId: string, release: number): string {
  return `r-${runId}-${release}`
}
