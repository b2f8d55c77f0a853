import { html, type Children, type Node } from '../html.ts'

interface Props { title: string, sub?: Children, acts?: Children, children?: Children, panel?: Children }

/** One heading, its acts, then the thing itself. */
export function Page ({ title, sub, acts, children, panel }: Props): Node {
  return html`<div class="content">
    <div class="page-head">
      <h1 class="text">${title}</h1>
      ${acts !== undefined && html`<div class="acts">${acts}</div>`}
      ${sub !== undefined && html`<div class="sub small">${sub}</div>`}
    </div>
    ${children}
    ${panel}
  </div>`
}
