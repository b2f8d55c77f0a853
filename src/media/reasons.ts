/** Why a file is refused for good (`media.md` 3.2). */
export const reasons = [
  'type_mismatch', 'unknown_type', 'corrupt_file', 'dimensions_exceeded', 'too_many_frames', 'too_large',
  'checksum_mismatch', 'expired'
] as const
export type Reason = typeof reasons[number]

/** What a step throws when the file, not we, is at fault. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly reason: Reason

  constructor (reason: Reason, message: string, options: ErrorOptions = {}) {
    super(message, options)
    this.reason = reason
  }
}
