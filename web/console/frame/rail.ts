import { html, type Node } from '../html.ts'
import { Icon, type IconName } from '../parts/icon.ts'
import { hrefOf, place } from '../router.ts'
import { capturesMails, isOperator } from '../session.ts'
import { inbox } from '../stores/inbox.ts'
import { Mark } from './mark.ts'

interface Stop { to: string, word: string, icon: IconName, isSmallOut?: boolean }

const stops: readonly Stop[] = [
  { to: '/', word: 'Home', icon: 'home' },
  { to: '/accounts', word: 'Accounts', icon: 'accounts' },
  { to: '/analytics', word: 'Analytics', icon: 'analytics' },
  { to: '/inbox', word: 'Inbox', icon: 'inbox' }
]
const mailStop: Stop = { to: '/mails', word: 'Mails', icon: 'mails', isSmallOut: true }
const workStop: Stop = { to: '/work', word: 'Work', icon: 'work' }
const last: Stop = { to: '/settings', word: 'Settings', icon: 'settings' }

function isHere (to: string): boolean {
  return to === '/' ? place.value === '/' : place.value === to || place.value.startsWith(`${to}/`)
}

/** The places of the console: a rail on the left, a bar below on small screens. */
export function Rail (): Node {
  const all = [...stops, ...(isOperator.value ? [workStop] : []), ...(capturesMails.value ? [mailStop] : []), last]
  const unread = inbox.unread.value
  return html`<nav class="rail" aria-label="Places">
    <a class="brand" href=${hrefOf('/')}><${Mark} /><span>Switchyard</span></a>
    <div class="rail-links">
      ${all.map(({ to, word, icon, isSmallOut }) => html`<a key=${to} href=${hrefOf(to)}
        class="rail-link ${isSmallOut === true ? 'small-out' : ''}" aria-current=${isHere(to) ? 'page' : undefined}>
        <${Icon} name=${icon} /><span>${word}</span>
        ${to === '/inbox' && unread > 0 && html`<span class="badge">${unread > 99 ? '99+' : unread}<span
          class="hidden"> unread</span></span>`}
      </a>`)}
    </div>
    <p class="rail-foot"><a href="/docs" target="_blank" rel="noreferrer">The interface</a></p>
  </nav>`
}
