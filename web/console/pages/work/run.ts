import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { Page } from '../../frame/page.ts'
import { count, now } from '../../format.ts'
import { html, type Node } from '../../html.ts'
import { Button } from '../../parts/button.ts'
import { IdText } from '../../parts/copy.ts'
import { Icon } from '../../parts/icon.ts'
import { Progress } from '../../parts/progress.ts'
import { AsRequest } from '../../parts/request.ts'
import { Loading, Refused } from '../../parts/state.ts'
import { Status } from '../../parts/status.ts'
import { Story, type Happening } from '../../parts/story.ts'
import { Time } from '../../parts/time.ts'
import { toast } from '../../parts/toast.ts'
import { hrefOf } from '../../router.ts'
import { cancelRun, isOver, run as shelf, type RunDetail } from '../../stores/work.ts'
import { attemptOf } from './attempts.ts'
import { AskReason } from './reason.ts'
import { stateOf, toneOf, waitingFor } from './words.ts'

const mostNeeds = 50
/** The run told as what happened to it, oldest first. */
function storyOf (run: RunDetail): Happening[] {
  const { createdAt, cause, attempts, cancel } = run
  const by = cause === null ? undefined : `${cause.kind} ${cause.id}`
  const story: Happening[] = [{ at: createdAt, what: 'made', tone: 'muted', by }]
  story.push(...attempts.map(attemptOf))
  if (cancel !== undefined) {
    story.push({ at: cancel.at, what: 'asked to cancel', tone: 'warn', why: cancel.reason, by: cancel.by })
  }
  return [...story, ...lastOf(run)]
}

/** What killed a run is told by its attempts already. */
function lastOf ({ state, startedAt, endedAt }: RunDetail): Happening[] {
  const began = startedAt !== undefined && ['running', 'done'].includes(state)
  return [
    ...began ? [{ at: startedAt, what: 'started', tone: 'info' as const }] : [],
    ...endedAt !== undefined && state !== 'dead' ? [{ at: endedAt, what: state, tone: toneOf(state) }] : []
  ]
}

function progressText ({ progress }: RunDetail): string {
  if (progress === undefined) return ''
  const { done, total, unit = '', step } = progress
  const whole = total === undefined ? '' : ` of ${count(total)}`
  return `${count(done)}${whole} ${unit}${step === undefined ? '' : ` · ${step}`}`
}

function Facts ({ run }: { run: RunDetail }): Node {
  const facts: Array<[string, unknown]> = [
    ['Queue', `${run.queue} · ${run.lane}`], ['Version', run.version],
    ['Starts', `${run.starts}, ${run.attempt} counted`],
    ['Crashes', run.crashes], ['Serial', run.serial], ['Target', run.target],
    ['Due', html`<${Time} at=${run.runAt} />`], ['Deadline', run.deadlineAt && html`<${Time} at=${run.deadlineAt} />`],
    ['Replay of', run.replayOf && html`<a href=${hrefOf(`/work/runs/${run.replayOf}`)}>${run.replayOf}</a>`],
    ['Workspace', run.workspaceId === ''
      ? 'the installation'
      : html`<${IdText} id=${run.workspaceId} what="Workspace id" />`]
  ]
  return html`<dl class="facts">${facts.filter(([, value]) => value !== undefined).map(([name, value]) => html`
    <dt key=${name}>${name}</dt><dd>${value}</dd>`)}</dl>`
}

function Advance ({ run }: { run: RunDetail }): Node {
  const { progress, state } = run
  if (progress === undefined) return html``
  return html`<section class="box box-body" aria-label="Progress"><${Progress} label="Progress of the run"
    done=${progress.done} total=${progress.total ?? null} text=${progressText(run)}
    state=${state === 'done' ? 'done' : isOver(run) ? 'failed' : 'running'} /></section>`
}

/** Those that it goes after, each with its link; what has ended is of no interest while others have not. */
function Needs ({ run: { needs = [], state } }: { run: RunDetail }): Node {
  const shown = state === 'blocked' ? needs.filter((one) => one.state !== null && !isOver({ state: one.state })) : needs
  if (shown.length === 0) return html``
  return html`<section class="box"><header><h2>${state === 'blocked' ? 'Waits for' : 'Went after'}</h2></header>
    <ul class="box-body one-each" aria-label="Runs that it needs">${shown.slice(0, mostNeeds).map((one) => html`
      <li key=${one.id}><a href=${hrefOf(`/work/runs/${one.id}`)}><code>${one.name ?? one.id}</code></a>${' '}
        <${Status} tone=${toneOf(one.state ?? '')} word=${one.state ?? 'forgotten'} />${' '}
        <${IdText} id=${one.id} what="Run id" /></li>`)}
      ${shown.length > mostNeeds && html`<li>and ${count(shown.length - mostNeeds)} more</li>`}</ul></section>`
}

function Known ({ run }: { run: RunDetail }): Node {
  const isAsked = useSignal(false)
  const why = waitingFor(run, now.value)
  const call = { method: 'GET', path: `/v1/jobs/runs/${run.id}` }
  return html`<${Page} title=${run.name} acts=${html`<${AsRequest} call=${call} />
      ${!isOver(run) && html`<${Button} kind="bad" act=${() => { isAsked.value = true }}>Cancel<//>`}`}
    sub=${html`<a class="crumb" href=${hrefOf('/work/runs')}><${Icon} name="left" />Runs</a>
      <${Status} ...${stateOf(run)} /><${IdText} id=${run.id} what="Run id" />`}>
    <div class="stack">
      ${why !== undefined && html`<p class="box box-body">${why}</p>`}
      <${Needs} run=${run} />
      <${Advance} run=${run} />
      <div class="duo">
        <section class="box"><header><h2>What happened</h2></header><div class="box-body"><${Story}
          label="Story of the run" items=${storyOf(run)} /></div></section>
        <section class="box"><header><h2>Facts</h2></header><div class="box-body"><${Facts}
          run=${run} /></div></section>
      </div>
      <section class="box"><header><h2>Data</h2></header><div class="box-body"><pre tabIndex="0">${
        JSON.stringify(run.data, null, 2)}</pre></div></section>
      ${run.result !== undefined && html`<section class="box"><header><h2>Result</h2></header><div class="box-body">
        <pre tabIndex="0">${JSON.stringify(run.result, null, 2)}</pre></div></section>`}
    </div>
    ${isAsked.value && html`<${AskReason} title="Cancel this run" submit="Cancel the run"
      text="A waiting run ends at once, one at work when its handler returns. What is committed stays."
      close=${() => { isAsked.value = false }}
      act=${async (reason: string) => { await cancelRun(run.id, reason); toast('The run is cancelled.') }} />`}
  <//>`
}

/** One run: what happened, what it waits for, what it carries. */
export function RunPage ({ id }: { id: string }): Node {
  const { value, problem, load } = shelf.get(id)
  useEffect(() => shelf.open(id), [id])
  if (value.value !== undefined) return html`<${Known} run=${value.value} />`
  const back = html`<a class="crumb" href=${hrefOf('/work/runs')}><${Icon} name="left" />Runs</a>`
  return html`<${Page} title="Run" sub=${back}>
    ${problem.value === undefined ? html`<${Loading} />` : html`<${Refused} problem=${problem.value} retry=${load} />`}
  <//>`
}
