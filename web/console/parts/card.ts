import { html, type Children, type Node } from '../html.ts'

interface Props { label: string, value: string, note?: Children, href: string }

/** One figure with what it counts; it leads to the thing itself. */
export function Card ({ label, value, note, href }: Props): Node {
  return html`<a class="card" href=${href}>
    <span class="card-label">${label}</span>
    <span class="card-value figures">${value}</span>
    <span class="card-note small muted figures">${note}</span>
  </a>`
}
