import { count, plural } from '../format.ts'
import type { Tone } from '../parts/status.ts'
import type { Account, Alert, AlertQuery, Asset, Download, HealthState } from '../stores/shapes.ts'

const healthWords: Record<HealthState, [Tone, string]> = {
  active: ['good', 'active'], needs_reauth: ['warn', 'needs sign-in'], disconnected: ['muted', 'disconnected']
}

export function healthOf ({ health }: Pick<Account, 'health'>): { tone: Tone, word: string, since: string } {
  const [tone, word] = healthWords[health.state] ?? ['muted', health.state]
  return { tone, word, since: health.since }
}

const syncWords: Record<Account['sync']['state'], [Tone, string]> = {
  idle: ['muted', 'not synced yet'],
  running: ['info', 'syncing'],
  done: ['good', 'up to date'],
  failed: ['bad', 'sync failed']
}

export function syncOf ({ sync }: Pick<Account, 'sync'>): { tone: Tone, word: string } {
  const [tone, word] = syncWords[sync.state] ?? ['muted', sync.state]
  return { tone, word }
}

export function syncText ({ sync }: Pick<Account, 'sync'>): string {
  return `${plural(sync.pages, 'page')} · ${plural(sync.items, 'item')}`
}

export function downloadTone ({ state }: Download): Tone {
  if (state === 'done') return 'good'
  if (state === 'failed' || state === 'cancelled') return 'bad'
  return state === 'queued' || state === 'paused' ? 'muted' : 'info'
}

const assetWords: Record<string, string> = {
  pending: 'waits for its turn',
  fetching: 'is being fetched',
  rejected: 'was refused',
  gone: 'is gone',
  failed: 'could not be fetched',
  skipped: 'was skipped'
}

export function assetText ({ state, reason, kind }: Asset): string {
  const why = reason === null ? '' : `: ${reason.replaceAll('_', ' ')}`
  return `${kind === 'unknown' ? 'media' : kind} ${assetWords[state] ?? state}${why}`
}

const ops: Record<Alert['op'], string> = { gt: 'more than', gte: 'at least', lt: 'fewer than', lte: 'at most' }

export function ruleText ({ op, threshold, query }: Pick<Alert, 'op' | 'threshold' | 'query'>): string {
  return `${ops[op]} ${count(threshold)} × ${query.event} ${rangeText(query)}`
}

export function rangeText ({ range }: AlertQuery): string {
  return 'last' in range ? `in ${range.last.replace(/m$/, ' min').replace(/h$/, ' h').replace(/d$/, ' d')}` : 'in a fixed range'
}

export function alertState ({ instance, isEnabled }: Alert): { tone: Tone, word: string, since?: string } {
  if (!isEnabled) return { tone: 'muted', word: 'off' }
  if (instance === null) return { tone: 'good', word: 'quiet' }
  const { state, since } = instance
  if (state === 'firing') return { tone: 'bad', word: 'firing', since }
  return state === 'pending' ? { tone: 'warn', word: 'pending', since } : { tone: 'good', word: 'quiet', since }
}

/** The host of a server address. */
export function hostOf (instance: string): string {
  return URL.canParse(instance) ? new URL(instance).host : instance
}
