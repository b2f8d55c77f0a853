import { html, type Node } from '../../html.ts'
import { Dialog } from '../../parts/dialog.ts'
import { Field, Form } from '../../parts/form.ts'
import { toast } from '../../parts/toast.ts'
import { addAlert } from '../../stores/alerts.ts'
import { metrics } from '../../stores/metrics.ts'
import type { Alert } from '../../stores/shapes.ts'

const usual = ['social.post.discovered', 'social.post.changed', 'social.post.gone']
const windows = [['5m', '5 minutes'], ['15m', '15 minutes'], ['1h', '1 hour'], ['24h', '24 hours']] as const

async function add (values: Record<string, string>): Promise<void> {
  const { name = '', event = '', op, threshold, last = '15m', onlyNew } = values
  const where = onlyNew === 'on' ? { where: [{ prop: 'isBackfill', op: 'eq', value: false }] } : {}
  await addAlert({
    name,
    query: { event, ...where, range: { last } },
    op: op as Alert['op'],
    threshold: Number(threshold),
    forMs: 0,
    everyMs: 5000
  })
}

/** A rule in one sentence: when an event is counted more often than a line, in a window. */
export function AlertForm ({ close }: { close: () => void }): Node {
  const known = metrics.items.value.map(({ name }) => name)
  const names = [...new Set([...known, ...usual])]
  const save = async (values: Record<string, string>): Promise<void> => {
    await add(values)
    close()
    toast('Rule made. It looks every 5 s.')
  }
  return html`<${Dialog} title="New alert rule" close=${close}>
    <${Form} act=${save} submit="Make the rule">
      ${(errors: Record<string, string>) => html`
        <${Field} name="name" label="Name" required maxlength="120" autofocus placeholder="A burst of posts"
          error=${errors['name']} />
        <${Field} name="event" label="Event" error=${errors['query']}>${names.map((name) => html`<option key=${name}
          value=${name}>${name}</option>`)}<//>
        <div class="row">
          <${Field} name="op" label="Fires at"><option value="gt">more than</option><option
            value="gte">at least</option>
            <option value="lt">fewer than</option><option value="lte">at most</option><//>
          <${Field} name="threshold" label="Count" type="number" min="0" step="1" required defaultValue="20"
            error=${errors['threshold']} />
          <${Field} name="last" label="In the last">${windows.map(([value, word]) => html`<option key=${value}
            value=${value}
            selected=${value === '15m'}>${word}</option>`)}<//>
        </div>
        <label class="check"><input type="checkbox" name="onlyNew"
          defaultChecked=${true} /> <span>Only new posts, not those of a first sync</span></label>`}
    <//>
  <//>`
}
