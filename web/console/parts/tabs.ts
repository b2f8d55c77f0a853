import { html, type Node } from '../html.ts'
import { query, setQuery } from '../router.ts'

export interface Tab { key: string, label: string, count?: string | undefined }

/** The tab of the address, else the first. */
export function currentTab (tabs: readonly Tab[]): string {
  const asked = query.value.get('tab')
  return tabs.find(({ key }) => key === asked)?.key ?? tabs[0]?.key ?? ''
}

/** Views of one thing; which one is open stands in the address. */
export function Tabs ({ tabs, label }: { tabs: readonly Tab[], label: string }): Node {
  const current = currentTab(tabs)
  const open = (index: number): void => {
    const tab = tabs.at(index % tabs.length)
    if (tab === undefined) return
    setQuery({ tab: tab.key === tabs[0]?.key ? undefined : tab.key, open: undefined })
    document.getElementById(`tab-${tab.key}`)?.focus()
  }
  const onKey = (event: KeyboardEvent, index: number): void => {
    if (event.key === 'ArrowRight') open(index + 1)
    if (event.key === 'ArrowLeft') open(index - 1)
  }
  return html`<div class="tabs" role="tablist" aria-label=${label}>
    ${tabs.map(({ key, label: word, count }, index) => html`<button key=${key} type="button" role="tab" id="tab-${key}"
      aria-selected=${key === current} aria-controls="tab-panel" tabIndex=${key === current ? 0 : -1}
      onClick=${() => { open(index) }} onKeyDown=${(event: KeyboardEvent) => { onKey(event, index) }}>
      ${word}${count !== undefined && html` <span class="figures muted">${count}</span>`}</button>`)}
  </div>`
}
