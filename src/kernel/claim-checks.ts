import { Type, type Static, type TSchema } from 'typebox'

/** Stands in the data of a run for what is too big for it: where the bytes are, and what they must be. */
export const ClaimCheckSchema = Type.Object({
  key: Type.String({ pattern: '^checks/[0-9a-f-]{36}$', maxLength: 64 }),
  bytes: Type.Integer({ minimum: 0 }),
  sha256: Type.String({ pattern: '^[0-9a-f]{64}$' })
}, { additionalProperties: false })
export type ClaimCheck = Static<typeof ClaimCheckSchema>

export interface ClaimChecks {
  /**
   * Stores data before the transaction that adds its run; at most 16 MiB. It is there for `keepDays` (default 40),
   * longer than an ended run. Throws `jobs.data_too_large`.
   */
  put (data: unknown, options?: { keepDays?: number }): Promise<ClaimCheck>
  /**
   * The data again, in the handler. Throws `storage.bytes_lost` where it is not there, which is tried again, and
   * `jobs.schema_mismatch` where it is not what was stored, or not of the schema.
   */
  read<T extends TSchema> (schema: T, check: ClaimCheck): Promise<Static<T>>
}
