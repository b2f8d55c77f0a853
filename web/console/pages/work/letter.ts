import { useEffect } from 'preact/hooks'
import { Page } from '../../frame/page.ts'
import { html, type Node } from '../../html.ts'
import { IdText } from '../../parts/copy.ts'
import { Icon } from '../../parts/icon.ts'
import { AsRequest } from '../../parts/request.ts'
import { Loading, Refused } from '../../parts/state.ts'
import { Status, type Tone } from '../../parts/status.ts'
import { Story } from '../../parts/story.ts'
import { Time } from '../../parts/time.ts'
import { hrefOf } from '../../router.ts'
import { letter as shelf, type LetterDetail } from '../../stores/work.ts'
import { attemptOf } from './attempts.ts'

const tones: Record<string, Tone> = { open: 'bad', replayed: 'good', discarded: 'muted' }
/** As many as the interface names. */
const mostNeeders = 100

const back = (): Node =>
  html`<a class="crumb" href=${hrefOf('/work/letters')}><${Icon} name="left" />Letters</a>`
const runLink = (id: string): Node => html`<a href=${hrefOf(`/work/runs/${id}`)}>${id}</a>`

function Facts ({ letter }: { letter: LetterDetail }): Node {
  const { runId, fingerprint, class: cause, round, codeVersion, failedAt, closedAt, closedBy, reason } = letter
  const { replayRunId, workspaceId } = letter
  const facts: Array<[string, unknown]> = [
    ['Run', runLink(runId)],
    ['Kind', html`<a href=${hrefOf(`/work/letters?group=${fingerprint}`)}>all letters of this kind</a>`],
    ['Class', cause], ['Died', html`<${Time} at=${failedAt} />`], ['Replays', round], ['Code', codeVersion],
    ['Closed', closedAt && html`<${Time} at=${closedAt} />${closedBy !== undefined && ` by ${closedBy}`}`],
    ['Reason', reason], ['Replayed as', replayRunId && runLink(replayRunId)],
    ['Workspace', workspaceId === '' ? 'the installation' : html`<${IdText} id=${workspaceId} what="Workspace id" />`]
  ]
  return html`<dl class="facts">${facts.filter(([, value]) => value !== undefined).map(([name, value]) => html`
    <dt key=${name}>${name}</dt><dd>${value}</dd>`)}</dl>`
}

/** Runs that have no letter of their own: this one is the cause of their end. */
function Needers ({ ids }: { ids: readonly string[] }): Node {
  if (ids.length === 0) return html``
  return html`<section class="box"><header><h2>Ended with it</h2></header>
    <div class="box-body"><p class="small muted">${ids.length < mostNeeders
      ? 'Runs that needed this one; they have no letter of their own.'
      : 'The first hundred runs that needed this one; they have no letter of their own.'}</p>
      <ul aria-label="Runs that ended with it">${ids.map((id) => html`<li key=${id}>${runLink(id)}</li>`)}</ul></div>
  </section>`
}

function Known ({ letter }: { letter: LetterDetail }): Node {
  const { id, name, state, code, message, attempts, needers, data, closedAt, failedAt } = letter
  const call = { method: 'GET', path: `/v1/jobs/dead-letters/${id}` }
  return html`<${Page} title=${name} acts=${html`<${AsRequest} call=${call} />`} sub=${html`${back()}
      <${Status} tone=${tones[state] ?? 'muted'} word=${state} since=${closedAt ?? failedAt} />
      <${IdText} id=${id} what="Letter id" />`}>
    <div class="stack">
      <p class="box box-body"><span class="text"><code>${code}</code> ${message}</span></p>
      <${Needers} ids=${needers} />
      <div class="duo">
        <section class="box"><header><h2>What happened</h2></header><div class="box-body"><${Story}
          label="Story of the letter" items=${attempts.map(attemptOf)} /></div></section>
        <section class="box"><header><h2>Facts</h2></header><div class="box-body"><${Facts}
          letter=${letter} /></div></section>
      </div>
      <section class="box"><header><h2>Data of a replay</h2></header><div class="box-body"><pre tabIndex="0">${
        JSON.stringify(data, null, 2)}</pre></div></section>
    </div>
  <//>`
}

/** One dead letter: what killed its run, what ended with that, and what a replay would carry. */
export function LetterPage ({ id }: { id: string }): Node {
  const { value, problem, load } = shelf.get(id)
  useEffect(() => shelf.open(id), [id])
  if (value.value !== undefined) return html`<${Known} letter=${value.value} />`
  return html`<${Page} title="Dead letter" sub=${back()}>
    ${problem.value === undefined ? html`<${Loading} />` : html`<${Refused} problem=${problem.value} retry=${load} />`}
  <//>`
}
