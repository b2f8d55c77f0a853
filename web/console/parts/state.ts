import { useEffect, useState } from 'preact/hooks'
import { html, type Children, type Node } from '../html.ts'
import { adviceOf, type Problem } from '../problem.ts'
import { Button } from './button.ts'
import { IdText } from './copy.ts'

/** What is not there yet, and the one thing that changes it. */
export function Empty ({ title, text, children }: { title: string, text: string, children?: Children }): Node {
  return html`<div class="state empty"><h2>${title}</h2><p>${text}</p>${children}</div>`
}

/** Lines in the size of what comes, shown when it takes longer than 200 ms. */
export function Loading ({ lines = 6 }: { lines?: number }): Node {
  const [isSlow, setSlow] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => { setSlow(true) }, 200)
    return () => { clearTimeout(timer) }
  }, [])
  return html`<div class="skeleton ${isSlow ? 'shown' : ''}" role="status" aria-label="Loading">
    ${Array.from({ length: lines }, (_, index) => html`<div key=${index} class="bone"></div>`)}</div>`
}

/** What the server refused, word for word, and what a person can do. */
export function Refused ({ problem, retry }: { problem: Problem, retry?: () => unknown }): Node {
  const { title, detail, code, requestId, retryAfterMs } = problem
  const [leftMs, setLeftMs] = useState(retryAfterMs ?? 0)
  useEffect(() => {
    if (retry === undefined || retryAfterMs === undefined) return
    const until = performance.now() + retryAfterMs
    const timer = setInterval(() => {
      setLeftMs(Math.max(0, until - performance.now()))
      if (performance.now() >= until) {
        clearInterval(timer)
        void retry()
      }
    }, 500)
    return () => { clearInterval(timer) }
  }, [problem])
  return html`<div class="state refused" role="alert">
    <h2>${title}</h2>
    ${detail !== undefined && html`<p>${detail}</p>`}
    <p class="muted">${adviceOf(problem)}</p>
    <p class="small figures"><code>${code}</code>
      ${requestId !== undefined && html` · request <${IdText} id=${requestId} what="Request id" />`}</p>
    ${retry !== undefined && html`<${Button} act=${retry} icon="sync">
      Try again${leftMs > 0 ? ` (in ${Math.ceil(leftMs / 1000)} s)` : ''}<//>`}
  </div>`
}

interface Loadable { status: { value: string }, problem: { value: Problem | undefined }, items: { value: unknown[] } }

/** Chooses between loading, refused, empty and the thing itself; with items at hand a refusal stands above them. */
export function Loaded ({ list, empty, retry, lines, children }: {
  list: Loadable, empty?: Children, retry: () => unknown, lines?: number, children: () => Children
}): Node {
  const { status: { value: status }, problem: { value: problem }, items: { value: items } } = list
  const refused = problem === undefined ? undefined : html`<${Refused} problem=${problem} retry=${retry} />`
  if (items.length > 0) return html`<div class="loaded">${refused}${children()}</div>`
  if (refused !== undefined) return refused
  if (status !== 'ready') return html`<${Loading} lines=${lines} />`
  return html`<div>${empty ?? children()}</div>`
}
