import { createHash, randomUUID } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import type { Static, TSchema } from 'typebox'
import { StorageError, type ClaimCheck, type ClaimChecks, type Clock, type Storage } from '../kernel/index.ts'
import { JobsError } from './errors.ts'
import { checkShape } from './payload.ts'
import type { ClaimCheckRepository } from './repository.ts'

const maxBytes = 16 * 1024 * 1024
const dayMs = 86_400_000
const perSweep = 1000

export interface ClaimCheckParts { rows: ClaimCheckRepository, storage: () => Storage, clock: Clock }

const hashOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

/** Big payloads in the storage, with a small reference in the run (`jobs.md` 3.1). */
export function createClaimChecks ({ rows, storage, clock }: ClaimCheckParts) {
  return {
    async put (data: unknown, { keepDays = 40 }: { keepDays?: number } = {}): Promise<ClaimCheck> {
      const body = Buffer.from(JSON.stringify(data) ?? 'null')
      if (body.length > maxBytes) {
        const detail = 'A claim check holds at most 16 MiB: put it in several, or store a file.'
        throw JobsError.data_too_large({ bytes: body.length, maxBytes }, { detail })
      }
      const key = `checks/${randomUUID()}`
      // Known before it is there: what nobody knows of would stay for ever.
      await rows.add(key, new Date(clock.ms() + keepDays * dayMs))
      await storage().put(key, body, { type: 'application/json' })
      return { key, bytes: body.length, sha256: hashOf(body) }
    },

    async read<T extends TSchema> (schema: T, { key, bytes, sha256 }: ClaimCheck): Promise<Static<T>> {
      const stored = await storage().get(key)
      if (stored === null) throw StorageError.bytes_lost({}, { detail: `There is nothing at ${key}.` })
      const body = await buffer(stored)
      if (body.length !== bytes || hashOf(body) !== sha256) {
        throw JobsError.schema_mismatch({}, { detail: `What stands at ${key} is not what was put there.` })
      }
      return checkShape(key, schema, JSON.parse(body.toString('utf8')))
    },

    /** Removes those whose time is over; how many. */
    async sweep (signal: AbortSignal): Promise<number> {
      let count = 0
      for (;;) {
        const keys = await rows.expired(clock.now(), perSweep)
        for (const key of keys) {
          signal.throwIfAborted()
          await storage().delete(key)
          await rows.forget(key)
          count++
        }
        if (keys.length < perSweep) return count
      }
    }
  } satisfies ClaimChecks & { sweep: (signal: AbortSignal) => Promise<number> }
}

export type ClaimCheckService = ReturnType<typeof createClaimChecks>
