import { signal } from '@preact/signals'
import { html, type Node } from '../html.ts'
import { Icon } from './icon.ts'

interface Note { id: number, text: string, tone: 'good' | 'bad' }

const notes = signal<Note[]>([])
let lastId = 0

function drop (id: number): void {
  notes.value = notes.value.filter((note) => note.id !== id)
}

/** Says in passing that something was done; what went wrong stays until it is closed. */
export function toast (text: string, tone: Note['tone'] = 'good'): void {
  const id = ++lastId
  notes.value = [...notes.value.slice(-2), { id, text, tone }]
  if (tone === 'good') setTimeout(() => { drop(id) }, 4000)
}

export function Toasts (): Node {
  return html`<div class="toasts" role="status" aria-live="polite">
    ${notes.value.map(({ id, text, tone }) => html`<div key=${id} class="toast ${tone}">
      <${Icon} name=${tone === 'good' ? 'check' : 'alert'} /><span>${text}</span>
      <button type="button" class="bare" aria-label="Close" onClick=${() => { drop(id) }}><${Icon} name="close" />
        </button>
    </div>`)}
  </div>`
}
