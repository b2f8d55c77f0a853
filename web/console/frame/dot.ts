import { now } from '../format.ts'
import { html, type Node } from '../html.ts'
import { liveState } from '../live.ts'

const filled = 'M6 1a5 5 0 1 0 0 10A5 5 0 0 0 6 1z'
const ring = 'M6 2a4 4 0 1 0 0 8 4 4 0 0 0 0-8z'

interface Look { kind: 'live' | 'catching' | 'waiting' | 'out', word: string, extra?: string }

function look (): Look {
  const { status, missing, againAt } = liveState.value
  if (status === 'live' && missing > 0) return { kind: 'catching', word: 'catching up', extra: ` · ${missing}` }
  if (status === 'live') return { kind: 'live', word: 'live' }
  if (status === 'stopped') return { kind: 'out', word: 'signed out' }
  if (status !== 'waiting') return { kind: 'waiting', word: 'connecting' }
  const seconds = Math.max(0, Math.ceil(((againAt ?? 0) - now.value) / 1000))
  return { kind: 'waiting', word: 'waiting', extra: seconds > 0 ? ` · again in ${seconds} s` : '' }
}

/** The truth of the socket in a shape, a word and, where it waits, how long. */
export function Dot (): Node {
  const { kind, word, extra = '' } = look()
  return html`<span class="dot ${kind}" role="status">
    <svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
      <path d=${kind === 'live' || kind === 'catching' ? filled : ring} /></svg>
    <span>${word}<span class="dot-note figures">${extra}</span></span>
  </span>`
}
