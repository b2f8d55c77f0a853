import { useLayoutEffect, useRef } from 'preact/hooks'
import { html, type Children, type Node } from '../html.ts'
import { Icon } from './icon.ts'

interface Props { title: string, close: () => void, children?: Children }

/** What a row opens on the right; `Esc` closes it and gives the focus back. */
export function Panel ({ title, close, children }: Props): Node {
  const element = useRef<HTMLElement>(null)
  // Before the next key: an effect after the paint would miss an `Esc` that comes quickly.
  useLayoutEffect(() => {
    const before = document.activeElement
    element.current?.focus()
    const onKey = (event: KeyboardEvent): void => {
      if (event.key !== 'Escape' || document.querySelector('dialog[open]') !== null) return
      close()
    }
    document.addEventListener('keydown', onKey)
    return () => {
      document.removeEventListener('keydown', onKey)
      if (before instanceof HTMLElement) before.focus()
    }
  }, [])
  return html`<aside ref=${element} class="panel" tabIndex=${-1} aria-label=${title}>
    <header><h2>${title}</h2>
      <button type="button" class="bare" aria-label="Close" onClick=${close}><${Icon} name="close" /></button></header>
    <div class="panel-body">${children}</div>
  </aside>`
}
