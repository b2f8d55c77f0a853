import { useSignal } from '@preact/signals'
import { send } from '../api.ts'
import { Page } from '../frame/page.ts'
import { html, type Node } from '../html.ts'
import { Button } from '../parts/button.ts'
import { IdText } from '../parts/copy.ts'
import { Field, Form } from '../parts/form.ts'
import { toast } from '../parts/toast.ts'
import { hrefOf } from '../router.ts'
import { capturesMails, signOut, user, workspace } from '../session.ts'
import { theme, type Theme } from '../theme.ts'

const themes: ReadonlyArray<[Theme, string]> = [['system', 'As the system'], ['light', 'Light'], ['dark', 'Dark']]

function Look (): Node {
  return html`<section class="box" aria-labelledby="look-title"><header><h2 id="look-title">Look</h2></header>
    <div class="box-body"><fieldset class="bare-set"><legend class="hidden">Colours</legend><div class="choice">
      ${themes.map(([value, word]) => html`<label key=${value}><input type="radio" name="theme" value=${value}
        checked=${theme.value === value}
        onChange=${() => { theme.value = value }} /><span>${word}</span></label>`)}
    </div></fieldset></div></section>`
}

function You (): Node {
  return html`<section class="box" aria-labelledby="you-title"><header><h2 id="you-title">You</h2>
    <span class="acts"><${Button} icon="out"
      act=${async () => { await signOut(); location.assign(hrefOf('/')) }}>Sign out<//></span></header>
    <dl class="box-body facts">
      <dt>Name</dt><dd class="text">${user.value?.displayName}</dd>
      <dt>Email</dt><dd class="text">${user.value?.email}</dd>
      <dt>Workspace</dt><dd class="text">${workspace.value?.name}</dd>
      <dt>Roles</dt><dd>${workspace.value?.roles.join(', ')}</dd>
      <dt>Ids</dt><dd>user <${IdText} id=${user.value?.id ?? ''} what="User id" />, workspace <${IdText}
        id=${workspace.value?.id ?? ''} what="Workspace id" /></dd>
      ${capturesMails.value && html`<dt>Mails</dt><dd><a href=${hrefOf('/mails')}>captured mails</a></dd>`}
    </dl></section>`
}

function Password (): Node {
  const turn = useSignal(0)
  const change = async ({ newPassword }: Record<string, string>): Promise<void> => {
    await send({ method: 'PUT', path: '/v1/identity/password', body: { newPassword } })
    turn.value++
    toast('Password changed. Your other sessions have ended.')
  }
  return html`<section class="box" aria-labelledby="password-title"><header><h2 id="password-title">Password</h2>
    </header>
    <div class="box-body narrow"><${Form} key=${turn.value} act=${change} submit="Change the password"
      places=${{ 'identity.weak_password': 'newPassword' }}>
      ${(errors: Record<string, string>) => html`<input hidden type="email" autocomplete="username"
        value=${user.value?.email ?? ''} readonly aria-hidden="true" />
        <${Field} name="newPassword" label="New password" type="password" autocomplete="new-password"
        required minlength="15" maxlength="1024"
          hint="15 characters or more. If you signed in more than five minutes ago, sign in again first."
        error=${errors['newPassword']} />`}
    <//></div></section>`
}

/** The person, the look, the password. */
export function Settings (): Node {
  return html`<${Page} title="Settings"><div class="stack"><${You} /><${Look} /><${Password} /></div><//>`
}
