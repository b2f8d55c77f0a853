import { html, type Node } from '../html.ts'
import { instant, now, relative } from '../format.ts'

/** An instant as a person says it; the exact one is the title. */
export function Time ({ at, none = '–' }: { at: string | null | undefined, none?: string }): Node {
  if (at == null) return html`<span class="muted">${none}</span>`
  return html`<time class="figures" dateTime=${at} title=${instant(at)}>${relative(at, now.value)}</time>`
}
