import { useState } from 'preact/hooks'
import { html, type Children, type Node } from '../html.ts'
import { adviceOf, fieldErrors, problemOf, type Problem } from '../problem.ts'
import { Icon } from './icon.ts'

interface FieldProps {
  name: string
  label: string
  hint?: string | undefined
  error?: string | undefined
  children?: Children
  [attribute: string]: unknown
}

/** A label, an input, a hint; the refusal of this field stands beside it. */
export function Field ({ name, label, hint, error, children, ...rest }: FieldProps): Node {
  const noteId = `${name}-note`
  const described = hint === undefined && error === undefined ? undefined : noteId
  const attributes = { id: name, name, 'aria-invalid': error !== undefined, 'aria-describedby': described, ...rest }
  const input = children === undefined
    ? html`<input ...${attributes} />`
    : html`<select ...${attributes}>${children}</select>`
  return html`<div class="field ${error === undefined ? '' : 'wrong'}">
    <label for=${name}>${label}</label>${input}
    ${described !== undefined && html`<p id=${noteId} class="small">
      ${error === undefined ? hint : html`<span class="error"><${Icon} name="alert" /> ${error}</span>`}</p>`}
  </div>`
}

interface FormProps {
  act: (values: Record<string, string>) => Promise<unknown>
  submit: string
  /** Where codes of the domain belong to one field: `social.instance_refused` to `instance`. */
  places?: Record<string, string>
  /** The code of a refusal, for who wants to say more about it. */
  onRefused?: (problem: Problem) => void
  children: (errors: Record<string, string>) => Children
  also?: Children
}

/** Sends once at a time; refusals go to their field, the rest stands above the button. */
export function Form ({ act, submit, places = {}, onRefused, children, also }: FormProps): Node {
  const [isBusy, setBusy] = useState(false)
  const [problem, setProblem] = useState<Problem | undefined>(undefined)
  const place = problem === undefined ? undefined : places[problem.code]
  const errors = fieldErrors(problem)
  if (problem !== undefined && place !== undefined) errors[place] = problem.detail ?? problem.title
  const send = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault()
    if (isBusy) return
    const form = event.currentTarget as HTMLFormElement
    const values = Object.fromEntries([...new FormData(form)].map(([key, value]) => [key, String(value)]))
    setBusy(true)
    try {
      setProblem(undefined)
      await act(values)
    } catch (error) {
      setProblem(problemOf(error))
      onRefused?.(problemOf(error))
    } finally {
      setBusy(false)
    }
  }
  return html`<form onSubmit=${send}>
    ${children(errors)}
    ${problem !== undefined && Object.keys(errors).length === 0 && html`<div class="form-problem" role="alert">
      <strong>${problem.detail ?? problem.title}</strong> ${adviceOf(problem)}
      <span class="small muted figures"><code>${problem.code}
        </code>${problem.requestId !== undefined && ` · request ${problem.requestId}`}</span>
    </div>`}
    <div class="form-end"><button class="button primary" aria-busy=${isBusy}><span>${submit}</span></button>${also}
      </div>
  </form>`
}
