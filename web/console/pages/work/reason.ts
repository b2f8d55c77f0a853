import { html, type Node } from '../../html.ts'
import { Dialog } from '../../parts/dialog.ts'
import { Field, Form } from '../../parts/form.ts'

interface Props {
  title: string
  text: string
  submit: string
  close: () => void
  act: (reason: string) => Promise<unknown>
}

/** Asks why: whoever looks later reads it. */
export function AskReason ({ title, text, submit, close, act }: Props): Node {
  return html`<${Dialog} title=${title} close=${close}>
    <p>${text}</p>
    <${Form} submit=${submit} act=${async ({ reason = '' }: Record<string, string>) => {
      await act(reason)
      close()
    }}>${(errors: Record<string, string>) => html`<${Field} name="reason" label="Reason" required maxlength="200"
      autofocus error=${errors['reason']} hint="Kept with what you do." />`}<//>
  <//>`
}
