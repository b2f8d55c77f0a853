import { html, type Node } from '../html.ts'
import { liveState } from '../live.ts'
import { now } from '../format.ts'

const shapes = { filled: 'M6 1a5 5 0 1 0 0 10A5 5 0 0 0 6 1z', ring: 'M6 2a4 4 0 1 0 0 8 4 4 0 0 0 0-8z' }

/** The truth of the socket in a shape, a word and, where it waits, how long. */
export function Dot (): Node {
  const { name, missing, againAt } = liveState.value
  const seconds = againAt === undefined ? 0 : Math.max(0, Math.ceil((againAt - now.value) / 1000))
  const [kind, word, extra] = name === 'live'
    ? ['live', 'live', '']
    : name === 'catching'
      ? ['catching', 'catching up', missing > 0 ? ` · ${missing}` : '']
      : name === 'stopped' ? ['out', 'signed out', ''] : ['waiting', name === 'connecting' ? 'connecting' : 'waiting', seconds > 0 ? ` · again in ${seconds} s` : '']
  return html`<span class="dot ${kind}" role="status">
    <svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true"><path d=${kind === 'live' || kind === 'catching' ? shapes.filled : shapes.ring} /></svg>
    <span>${word}<span class="dot-note figures">${extra}</span></span>
  </span>`
}
