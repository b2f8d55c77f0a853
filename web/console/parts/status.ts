import { html, type Node } from '../html.ts'
import { instant, now, span } from '../format.ts'

export type Tone = 'good' | 'warn' | 'bad' | 'info' | 'muted'

/** Each tone has a shape of its own: colour never speaks alone. */
const shapes: Record<Tone, string> = {
  good: 'M8 3a5 5 0 1 0 0 10A5 5 0 0 0 8 3z',
  warn: 'M8 2.500 14 13H2z',
  bad: 'M5.300 2.500h5.400l2.800 2.800v5.400l-2.800 2.800H5.300l-2.800-2.800V5.300z',
  info: 'M8 2.500 13.500 8 8 13.500 2.500 8z',
  muted: 'M8 3.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zm0 1.800a2.7 2.7 0 1 1 0 5.4 2.7 2.7 0 0 1 0-5.4z'
}

interface Props { tone: Tone, word: string, since?: string | null | undefined }

/** Shape, word, since when: `active · 3 h`. */
export function Status ({ tone, word, since }: Props): Node {
  return html`<span class="status ${tone}">
    <svg viewBox="0 0 16 16" width="10" height="10" aria-hidden="true"><path d=${shapes[tone]} /></svg>
    <span>${word}</span>
    ${since != null && html`<time class="muted figures" dateTime=${since} title=${instant(since)}>
      · ${span(now.value - Date.parse(since))}</time>`}
  </span>`
}
