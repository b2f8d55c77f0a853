import { useState } from 'preact/hooks'
import { html, type Children, type Node } from '../html.ts'
import { problemOf } from '../problem.ts'
import { Icon, type IconName } from './icon.ts'
import { toast } from './toast.ts'

interface Props {
  act: () => unknown
  icon?: IconName
  kind?: 'primary' | 'plain' | 'bad'
  isDisabled?: boolean
  title?: string
  children?: Children
}

/** Runs an act once at a time and says what went wrong. */
export function Button ({ act, icon, kind = 'plain', isDisabled = false, title, children }: Props): Node {
  const [isBusy, setBusy] = useState(false)
  const press = async (event: Event): Promise<void> => {
    event.stopPropagation()
    if (isBusy) return
    setBusy(true)
    try {
      await act()
    } catch (error) {
      const { title: sentence, detail, code, requestId } = problemOf(error)
      toast(`${detail ?? sentence} (${code}${requestId === undefined ? '' : `, request ${requestId}`})`, 'bad')
    } finally {
      setBusy(false)
    }
  }
  return html`<button type="button" class="button ${kind}" disabled=${isDisabled} aria-busy=${isBusy} title=${title}
    onClick=${press}>${icon !== undefined && html`<${Icon} name=${icon} />`}<span>${children}</span></button>`
}
