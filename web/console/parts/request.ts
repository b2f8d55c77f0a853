import { toCurl, type Call } from '../api.ts'
import { html, type Node } from '../html.ts'
import { Button } from './button.ts'
import { copy } from './copy.ts'
import { Icon } from './icon.ts'

/** The call that made a view: whatever the console does, another page can do. */
export function AsRequest ({ call }: { call: Call }): Node {
  const curl = toCurl(call)
  return html`<details class="request">
    <summary><${Icon} name="code" /><span>As request</span></summary>
    <div class="request-body">
      <p><strong>${call.method}</strong> <code>${call.path}</code></p>
      ${call.body !== undefined && html`<pre tabIndex="0">${JSON.stringify(call.body, null, 2)}</pre>`}
      <${Button} icon="copy" act=${async () => { await copy(curl, 'Call') }}>Copy as curl<//>
    </div>
  </details>`
}
