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
  no_worker: 'no living worker knows this job in this version, or none consumes its queue',
  workspace_cap: 'its workspace has as many runs of this queue at work as it may have at once',
  workspace_rate: 'its workspace has a rate of starts, which is used up for the moment'
}

const whys: Record<string, string> = {
  resource: 'a resource has no free place',
  rate: 'the rate of a resource is used up',
  queue_paused: 'the queue is paused',
  blackout: 'in a blackout window',
  paused: 'the schedule is paused',
  runs_beside_others: 'beside runs that have not ended',
  cancels_the_run_before: 'the run before it is cancelled',
  run_before_is_live: 'the run before it has not ended',
  one_is_buffered: 'another one waits for its turn already',
  buffer_is_full: 'too many wait for their turn already',
  cancelled_by_the_next: 'the slot after it takes its place',
  late: 'it was late, and what is late is left out',
  not_the_last: 'of those that were late only the last one counts',
  too_late_to_catch_up: 'it was too late to catch up'
}

/** Why a slot does, or did, what it does; a reason that is new here is shown as it is. */
export function reasonsOf (reasons: readonly string[]): string {
  return reasons.map((reason) => whys[reason] ?? reason.replaceAll('_', ' ')).join('; ')
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
