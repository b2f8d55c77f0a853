import { signal } from '@preact/signals'
import { post } from '../api.ts'
import { html, type Node } from '../html.ts'
import { Dialog } from '../parts/dialog.ts'
import { Field, Form } from '../parts/form.ts'
import { toast } from '../parts/toast.ts'
import { go } from '../router.ts'
import { accounts } from '../stores/accounts.ts'
import type { Account } from '../stores/shapes.ts'

/** What is being connected: a new account, or one that is signed in again. */
export const connecting = signal<{ again?: Account } | undefined>(undefined)
const method = signal<'oauth' | 'token'>('oauth')

export function openConnect (again?: Account): void {
  connecting.value = again === undefined ? {} : { again }
}

function close (): void {
  connecting.value = undefined
}

interface Connection { connectionId: string, state: string, authorizeUrl?: string, accountId?: string }

/** `mastodon.social` means `https://mastodon.social`. */
export function toAddress (typed: string): string {
  const text = typed.trim()
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`
}

async function connect ({ instance = '', token = '' }: Record<string, string>): Promise<void> {
  const again = connecting.peek()?.again
  const way = method.peek()
  const proof = way === 'token' ? { token: token.trim() } : {}
  const common = { method: way, returnTo: '/console/accounts?connected=1', ...proof }
  const connection = again === undefined
    ? await post<Connection>('/v1/social/connections', {
      platform: 'mastodon', instance: toAddress(instance), ...common
    })
    : await post<Connection>(`/v1/social/accounts/${again.id}/reconnect`, common)
  if (connection.authorizeUrl !== undefined) {
    location.assign(connection.authorizeUrl)
    return
  }
  await accounts.load()
  close()
  toast('Account connected. Nothing is read before the first sync.')
  if (connection.accountId !== undefined) go(`/accounts/${connection.accountId}`)
}

const places = {
  'social.instance_refused': 'instance',
  'social.instance_unreachable': 'instance',
  'social.platform_down': 'instance',
  'social.upstream_answer_invalid': 'instance'
}

function Choice ({ value, word }: { value: 'oauth' | 'token', word: string }): Node {
  return html`<label><input type="radio" name="method" value=${value} checked=${method.value === value}
    onChange=${() => { method.value = value }} /><span>${word}</span></label>`
}

/** Server address, then the platform's own sign-in or a token; refusals stand beside their field. */
export function ConnectDialog (): Node | null {
  const open = connecting.value
  if (open === undefined) return null
  const isToken = method.value === 'token'
  const allPlaces = isToken ? { ...places, 'social.connect_denied': 'token', 'social.scope_missing': 'token' } : places
  const title = open.again === undefined ? 'Connect an account' : `Sign ${open.again.label} in again`
  return html`<${Dialog} title=${title} close=${close}>
    <${Form} act=${connect} submit=${isToken ? 'Connect' : 'Continue at the server'} places=${allPlaces}>
      ${(errors: Record<string, string>) => html`
        ${open.again === undefined && html`<${Field} name="instance" label="Server address"
          placeholder="mastodon.social" required maxlength="2083"
          autocapitalize="none" spellcheck="false" autofocus hint="Any server that speaks the Mastodon interface."
            error=${errors['instance']} />`}
        <fieldset class="bare-set"><legend class="hidden">How to sign in</legend>
          <div class="choice"><${Choice} value="oauth" word="Sign in there" /><${Choice} value="token"
            word="Paste a token" /></div></fieldset>
        ${isToken
          ? html`<${Field} name="token" label="Access token" type="password" autocomplete="off" required
            maxlength="4096"
              hint="Made in the server's settings under Development, with the right to read."
                error=${errors['token']} />`
          : html`<p class="small muted">The server asks you to allow reading, and sends you back here.</p>`}`}
    <//>
  <//>`
}
