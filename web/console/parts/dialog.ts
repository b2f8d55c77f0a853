import { useLayoutEffect, useRef } from 'preact/hooks'
import { html, type Children, type Node } from '../html.ts'
import { Icon } from './icon.ts'

interface Props { title: string, close: () => void, children?: Children }

/** A native modal dialog: the browser keeps the focus inside, `Esc` closes, the focus returns. */
export function Dialog ({ title, close, children }: Props): Node {
  const element = useRef<HTMLDialogElement>(null)
  // Before the next key: an effect after the paint would miss an `Esc` that comes quickly.
  useLayoutEffect(() => {
    const before = document.activeElement
    element.current?.showModal()
    // Not before the dialog has left the page: while it is open, everything behind it refuses the focus.
    return () => { queueMicrotask(() => { if (before instanceof HTMLElement) before.focus() }) }
  }, [])
  return html`<dialog ref=${element} class="dialog" aria-label=${title} onClose=${close}
    onCancel=${(event: Event) => { event.preventDefault(); close() }}
    onMouseDown=${(event: MouseEvent) => { if (event.target === element.current) close() }}>
    <div class="dialog-body">
      <header><h2>${title}</h2>
        <button type="button" class="bare" aria-label="Close" onClick=${close}><${Icon} name="close" /></button>
          </header>
      ${children}
    </div>
  </dialog>`
}
