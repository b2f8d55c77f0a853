import { useEffect } from 'preact/hooks'
import { Page } from '../frame/page.ts'
import { html, type Node } from '../html.ts'
import { Button } from '../parts/button.ts'
import { AsRequest } from '../parts/request.ts'
import { Empty, Loaded } from '../parts/state.ts'
import { Time } from '../parts/time.ts'
import { hrefOf, query } from '../router.ts'
import { capturesMails } from '../session.ts'
import { mails, mailsPath } from '../stores/mails.ts'
import type { CapturedMail } from '../stores/shapes.ts'

function Mail ({ mail: { to, subject, text, at } }: { mail: CapturedMail }): Node {
  return html`<article class="box mail">
    <header><h2 class="text">${subject}</h2><span class="small muted acts"><span class="cut">${to}</span><${Time}
      at=${at} /></span></header>
    <p class="box-body text">${text}</p>
  </article>`
}

/** Captured mails, read again every two seconds while they are looked at: they have no topic. */
export function MailBox ({ to }: { to?: string | undefined }): Node {
  useEffect(() => {
    void mails.load()
    const timer = setInterval(() => { if (!document.hidden) void mails.load() }, 2000)
    return () => { clearInterval(timer) }
  }, [])
  const q = query.value.get('q')?.toLowerCase() ?? ''
  const shown = mails.items.value.filter((mail) => (to === undefined || mail.to === to) &&
    `${mail.to} ${mail.subject} ${mail.text}`.toLowerCase().includes(q))
  return html`<${Loaded} list=${mails} retry=${mails.load}
    empty=${html`<${Empty} title="No mail yet" text="Mails that would be sent appear here within a second or two." />`}>
    ${() => html`<div class="stack">${shown.map((mail) => html`<${Mail} key=${mail.id} mail=${mail} />`)}
      ${shown.length === 0 && html`<p class="muted">No mail fits.</p>`}</div>`}
  <//>`
}

export function Mails (): Node {
  if (!capturesMails.value) {
    return html`<${Page} title="Mails"><${Empty} title="No mail is kept here"
      text="Where no mail server is set, mails are shown to somebody at the machine itself.">
      <a class="button" href=${hrefOf('/')}>Home</a><//><//>`
  }
  return html`<${Page} title="Mails" sub="Kept here because no mail server is configured; the newest 200."
    acts=${html`<${AsRequest} call=${{ method: 'GET', path: mailsPath }} /><${Button} icon="sync"
      act=${mails.load}>Read again<//>`}>
    <${MailBox} />
  <//>`
}
