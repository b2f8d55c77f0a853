import { span } from '../../format.ts'
import type { Tone } from '../../parts/status.ts'
import type { RunRow, Schedule } from '../../stores/work.ts'

interface Said { tone: Tone, word: string, since?: string | undefined }

const tones: Record<string, Tone> = {
  blocked: 'muted', pending: 'muted', published: 'info', running: 'info', done: 'good', dead: 'bad', cancelled: 'warn',
  expired: 'warn', skipped: 'warn', fire: 'good', fired: 'good', skip: 'muted', buffer: 'info', wait: 'info',
  blackout: 'warn', missed: 'bad'
}

export const toneOf = (word: string): Tone => tones[word] ?? 'muted'

/** State of a run, since when. */
export function stateOf ({ state, startedAt, endedAt, runAt }: RunRow): Said {
  return { tone: toneOf(state), word: state, since: endedAt ?? (state === 'running' ? startedAt : runAt) }
}

const holds: Record<string, string> = {
  serial: 'another run of the same serial has not ended',
  resource: 'a resource that it needs has no free place',
  rate: 'a resource that it needs has a rate, which is used up for the moment',
  blackout: 'a blackout window covers this time',
  global_blackout: 'a blackout window covers everything that schedules make',
  target: 'the service that it calls is on hold after failures; a probe goes first',
  paused: 'its queue is paused',
  retry_budget: 'retries are a fifth of all starts at most, and those are used up for the moment',
  no_worker: 'no living worker knows this job in this version, or none consumes its queue'
}

/** A list does not say how many. */
function runsOf (many: number | undefined): string {
  if (many === undefined) return 'runs'
  return many === 1 ? 'a run' : `${many} runs`
}

/** Why a run has not started, in words; undefined where it has. */
export function waitingFor (
  run: RunRow & { serial?: string, target?: string, waiting?: number }, nowMs: number
): string | undefined {
  const { state, heldBy, runAt } = run
  if (state === 'blocked') return `It waits for ${runsOf(run.waiting)} that it needs.`
  if (state === 'published') return 'It is handed over, and the next free worker starts it.'
  if (state !== 'pending') return undefined
  if (heldBy !== undefined) {
    const what = heldBy === 'serial' ? run.serial : heldBy === 'target' ? run.target : undefined
    return `It waits: ${holds[heldBy] ?? heldBy}${what === undefined ? '' : ` (${what})`}.`
  }
  const ms = Date.parse(runAt) - nowMs
  return ms > 0 ? `It is due in ${span(ms)}.` : 'It is due, and goes as soon as there is a place.'
}

/** When a schedule fires, as its rule says it. */
export function ruleOf ({ spec: { cron, everyMs, rrule }, zone }: Schedule): string {
  if (everyMs !== undefined) return `every ${span(everyMs)}`
  return `${cron ?? rrule ?? ''} · ${zone}`
}

export function scheduleState ({ isEnabled, pausedFor }: Schedule): Said {
  if (isEnabled) return { tone: 'good', word: 'on' }
  return { tone: 'warn', word: pausedFor === null ? 'paused' : `paused: ${pausedFor}` }
}
