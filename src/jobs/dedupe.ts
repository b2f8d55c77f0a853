import type { Clock, Dedupe } from '../kernel/index.ts'
import type { DedupeOfRun } from './run.ts'

/** What a run that others answer to has besides: its mark, and when and behind what it starts. */
export interface DedupeFields { dedupe: DedupeOfRun, runAt?: Date, serial?: string }

/** The fields of a new run with a dedupe (`jobs.md` 3.1); pure. */
export function dedupeFields (job: string, asked: Dedupe, clock: Clock): DedupeFields {
  const { key, mode } = asked
  const dedupe = { key, mode, isActive: true }
  switch (asked.mode) {
    case 'throttle': return { dedupe: { ...dedupe, until: new Date(clock.ms() + asked.windowMs) } }
    case 'debounce': return { dedupe, runAt: new Date(clock.ms() + asked.windowMs) }
    // A successor waits for the run that is live.
    case 'latest': return { dedupe, serial: `latest:${job}:${key}` }
    case 'inflight': return { dedupe }
  }
}
