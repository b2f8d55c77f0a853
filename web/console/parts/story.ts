import { html, type Node } from '../html.ts'
import { Status, type Tone } from './status.ts'
import { Time } from './time.ts'

export interface Happening { at: string, what: string, tone: Tone, why?: string | undefined, by?: string | undefined }

/** What happened, in the order in which it did: time, what, why, by whom. */
export function Story ({ items, label }: { items: readonly Happening[], label: string }): Node {
  return html`<ol class="story" aria-label=${label}>
    ${items.map(({ at, what, tone, why, by }, index) => html`<li key=${index}>
      <${Status} tone=${tone} word=${what} />
      <span class="small muted"><${Time} at=${at} />${by !== undefined && ` · ${by}`}</span>
      ${why !== undefined && html`<p class="small">${why}</p>`}
    </li>`)}
  </ol>`
}
