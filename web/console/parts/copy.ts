import { html, type Node } from '../html.ts'
import { shortId } from '../format.ts'
import { toast } from './toast.ts'

export async function copy (text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text)
    toast(`${what} copied.`)
  } catch {
    toast(`The browser did not let us copy. Select the text instead: ${text}`, 'bad')
  }
}

/** An id, shortened in the middle; a click copies it whole. */
export function IdText ({ id, what = 'Id' }: { id: string, what?: string }): Node {
  return html`<button type="button" class="id" title="${id} – copy"
    onClick=${(event: Event) => { event.stopPropagation(); void copy(id, what) }}>
    <span class="hidden">Copy ${what}${' '}</span>${shortId(id)}</button>`
}
