import { useEffect, useErrorBoundary } from 'preact/hooks'
import { Page } from './frame/page.ts'
import { Rail } from './frame/rail.ts'
import { Top } from './frame/top.ts'
import { html, type Node } from './html.ts'
import { closeLive } from './live.ts'
import { AccountPage } from './pages/account.ts'
import { Accounts } from './pages/accounts.ts'
import { Analytics } from './pages/analytics.ts'
import { ConnectDialog } from './pages/connect.ts'
import { Home } from './pages/home.ts'
import { Inbox } from './pages/inbox.ts'
import { Mails } from './pages/mails.ts'
import { Settings } from './pages/settings.ts'
import { FirstPassword, Sign } from './pages/sign.ts'
import { Work } from './pages/work.ts'
import { Empty, Refused } from './parts/state.ts'
import { Toasts } from './parts/toast.ts'
import { problemOf } from './problem.ts'
import { hrefOf, place } from './router.ts'
import { bootProblem, resume, stage, user, workspace } from './session.ts'
import { openAccounts } from './stores/accounts.ts'
import { openAlerts } from './stores/alerts.ts'
import { openInbox } from './stores/inbox.ts'
import { openMetrics } from './stores/metrics.ts'

const pages: ReadonlyArray<[RegExp, string, (id: string) => Node]> = [
  [/^\/$/, 'Home', () => html`<${Home} />`],
  [/^\/accounts$/, 'Accounts', () => html`<${Accounts} />`],
  [/^\/accounts\/([^/]+)$/, 'Account', (id) => html`<${AccountPage} id=${id} />`],
  [/^\/analytics$/, 'Analytics', () => html`<${Analytics} />`],
  [/^\/inbox$/, 'Inbox', () => html`<${Inbox} />`],
  [/^\/work(?:\/(.+))?$/, 'Work', (rest) => html`<${Work} at=${rest} />`],
  [/^\/mails$/, 'Mails', () => html`<${Mails} />`],
  [/^\/settings$/, 'Settings', () => html`<${Settings} />`]
]

function View (): Node {
  const [error, reset] = useErrorBoundary()
  const found = pages.find(([pattern]) => pattern.test(place.value))
  useEffect(() => {
    document.title = `${found?.[1] ?? 'Not found'} · Switchyard`
    reset()
  }, [place.value])
  if (error !== undefined) {
    return html`<${Page} title="This view broke"><${Refused} problem=${problemOf(error)}
    retry=${reset} /><//>`
  }
  if (found === undefined) {
    return html`<${Page} title="Not found"><${Empty} title="There is no such place"
      text="The address is mistyped, or what it showed is gone.">
      <a class="button" href=${hrefOf('/')}>Home</a><//><//>`
  }
  const [pattern, , show] = found
  return show(pattern.exec(place.value)?.[1] ?? '')
}

function Inside (): Node {
  const [userId, workspaceId] = [user.value?.id ?? '', workspace.value?.id ?? '']
  useEffect(() => {
    const stops = [openAccounts(), openInbox(userId), openMetrics(workspaceId), openAlerts(workspaceId)]
    return () => {
      for (const stop of stops) stop()
      closeLive()
    }
  }, [userId, workspaceId])
  return html`<div class="frame">
    <a class="skip" href="#view">Skip to the content</a>
    <${Rail} />
    <div class="main"><${Top} /><main id="view" tabIndex=${-1}><${View} /></main></div>
    <${ConnectDialog} />
  </div>`
}

/** Who sees what: nobody yet, a person outside, one who must change the password, one inside. */
export function App (): Node {
  const content = {
    unknown: () => html`<div class="boot" aria-busy="true"></div>`,
    unreachable: () => html`<main class="sign"><div class="sign-card">
      ${bootProblem.value !== undefined && html`<${Refused} problem=${bootProblem.value} retry=${resume} />`}</div>
        </main>`,
    out: () => html`<${Sign} />`,
    password: () => html`<${FirstPassword} />`,
    in: () => html`<${Inside} />`
  }[stage.value]()
  return html`${content}<${Toasts} />`
}
