import { createHash } from 'node:crypto'

/** The account's next slot: every `everyMinutes`, smeared over the time by a stable hash. */
export function nextSlot (accountId: string, everyMinutes: number, nowMs: number): Date {
  const everyMs = everyMinutes * 60_000
  const phase = createHash('sha256').update(accountId).digest().readUInt32BE(0) % everyMs
  return new Date((Math.floor((nowMs - phase) / everyMs) + 1) * everyMs + phase)
}
