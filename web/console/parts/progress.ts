import { html, type Node } from '../html.ts'

export type ProgressState = 'running' | 'done' | 'failed' | 'paused'

interface Props {
  done: number
  /** Unknown where null: the bar then only says that something moves. */
  total: number | null
  state?: ProgressState
  label: string
  /** What stands beside the bar: figures, rate, time left. */
  text?: string
}

/** Moves smoothly between reported values, and never ahead of them. */
export function Progress ({ done, total, state = 'running', label, text }: Props): Node {
  const isKnown = total !== null && total > 0
  const share = isKnown ? Math.min(1, done / total) : state === 'done' ? 1 : 0
  const value = isKnown || state === 'done' ? Math.floor(share * 100) : undefined
  return html`<div class="progress ${state} ${isKnown || state === 'done' ? '' : 'unknown'}">
    <div class="track" role="progressbar" aria-label=${label} aria-valuemin="0" aria-valuemax="100"
      aria-valuenow=${value} aria-valuetext=${text}>
      <div class="fill" style=${{ transform: `scaleX(${share})` }}></div>
    </div>
    ${text !== undefined && html`<span class="small figures muted">${text}</span>`}
  </div>`
}
