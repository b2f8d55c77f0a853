import { html, type Node } from '../html.ts'
import { Page } from '../frame/page.ts'
import { Empty } from '../parts/state.ts'
import { hrefOf } from '../router.ts'
import { isOperator } from '../session.ts'
import { LetterPage } from './work/letter.ts'
import { Letters } from './work/letters.ts'
import { Queues } from './work/queues.ts'
import { RunPage } from './work/run.ts'
import { Runs } from './work/runs.ts'
import { Schedules } from './work/schedules.ts'

/** Whether work flows, and why not; for operators. */
export function Work ({ at }: { at: string }): Node {
  if (!isOperator.value) {
    return html`<${Page} title="Work"><${Empty} title="This is for operators"
      text="Who looks after the installation sees its queues, runs, schedules and dead letters here.">
      <a class="button" href=${hrefOf('/')}>Home</a><//><//>`
  }
  const [view = '', id] = at.split('/')
  if (view === 'runs' && id !== undefined) return html`<${RunPage} key=${id} id=${id} />`
  if (view === 'runs') return html`<${Runs} />`
  if (view === 'schedules') return html`<${Schedules} />`
  if (view === 'letters' && id !== undefined) return html`<${LetterPage} key=${id} id=${id} />`
  if (view === 'letters') return html`<${Letters} />`
  return html`<${Queues} />`
}
