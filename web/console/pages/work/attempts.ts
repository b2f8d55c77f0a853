import { span } from '../../format.ts'
import type { Happening } from '../../parts/story.ts'
import type { Attempt } from '../../stores/work.ts'

const outcomes: Record<string, string> = {
  again: 'failed, tried again', dead: 'failed for good', crashed: 'its process died'
}

/** A start that ended without success, as a run and its letter tell it. */
export function attemptOf ({ startedAt, endedAt, outcome, code, message }: Attempt): Happening {
  return {
    at: endedAt,
    what: outcomes[outcome] ?? outcome,
    tone: outcome === 'again' ? 'warn' : 'bad',
    why: `${code}${message === '' ? '' : `: ${message}`}`,
    by: `after ${span(Date.parse(endedAt) - Date.parse(startedAt))}`
  }
}
