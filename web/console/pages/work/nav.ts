import { html, type Node } from '../../html.ts'
import { hrefOf } from '../../router.ts'

const views = [['', 'Queues'], ['runs', 'Runs'], ['schedules', 'Schedules'], ['letters', 'Letters']] as const

/** The views of the work of the installation, each with its own address. */
export function WorkNav ({ at }: { at: string }): Node {
  return html`<nav class="tabs" aria-label="Views of the work">
    ${views.map(([key, word]) => html`<a key=${key} class="tab" href=${hrefOf(key === '' ? '/work' : `/work/${key}`)}
      aria-current=${key === at ? 'page' : undefined}>${word}</a>`)}</nav>`
}
