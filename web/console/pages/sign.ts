import { signal } from '@preact/signals'
import { post, send } from '../api.ts'
import { html, type Node } from '../html.ts'
import { Field, Form } from '../parts/form.ts'
import { Mark } from '../frame/mark.ts'
import { capturesMails, endNote, enterWith, signOut } from '../session.ts'
import { MailBox } from './mails.ts'

type View = 'in' | 'up' | 'code'
interface Tokens { accessToken: string, expiresInS: number }

const view = signal<View>('in')
const flow = signal<{ id: string, email: string } | undefined>(undefined)
const showsMails = signal(false)

async function signIn ({ email, password }: Record<string, string>): Promise<void> {
  await enterWith(await post<Tokens>('/v1/identity/logins', { email, password, client: 'web' }, { isPublic: true }))
}

async function signUp ({ email, password, displayName, workspaceName }: Record<string, string>): Promise<void> {
  const answer = await post<{ flowId: string }>('/v1/identity/registrations', {
    email,
    password,
    displayName,
    zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    locale: navigator.language,
    ...(workspaceName === '' ? {} : { workspaceName })
  }, { isPublic: true })
  flow.value = { id: answer.flowId, email: email ?? '' }
  view.value = 'code'
}

async function verify ({ code = '' }: Record<string, string>): Promise<void> {
  const digits = code.replaceAll(/\D/g, '')
  await enterWith(await post<Tokens>(
    `/v1/identity/registrations/${flow.value?.id}/verify`, { code: digits, client: 'web' }, { isPublic: true }))
}

function to (next: View): () => void {
  return () => { view.value = next }
}

const email = (error: string | undefined): Node => html`<${Field} name="email" label="Email" type="email"
  autocomplete="username"
  required maxlength="254" error=${error} />`

function SignIn (): Node {
  return html`<h1>Sign in</h1>
    <${Form} act=${signIn} submit="Sign in" also=${html`<button type="button" class="link"
      onClick=${to('up')}>Create an account</button>`}>
      ${(errors: Record<string, string>) => html`${email(errors['email'])}
        <${Field} name="password" label="Password" type="password" autocomplete="current-password" required
          maxlength="1024"
          error=${errors['password']} />`}
    <//>`
}

function SignUp (): Node {
  return html`<h1>Create an account</h1>
    <${Form} act=${signUp} submit="Send me a code" places=${{ 'identity.weak_password': 'password' }}
      also=${html`<button type="button" class="link" onClick=${to('in')}>I have one</button>`}>
      ${(errors: Record<string, string>) => html`
        <${Field} name="displayName" label="Your name" autocomplete="name" required maxlength="80"
          error=${errors['displayName']} />
        ${email(errors['email'])}
        <${Field} name="password" label="Password" type="password" autocomplete="new-password" required minlength="15"
          maxlength="1024"
          hint="15 characters or more; a sentence is good." error=${errors['password']} />
        <${Field} name="workspaceName" label="Workspace" maxlength="80" hint="Optional; named after you if left empty."
          error=${errors['workspaceName']} />`}
    <//>`
}

function Code (): Node {
  return html`<h1>Enter the code</h1>
    <p>We sent six digits to <strong class="text">${flow.value?.email}</strong>. They are good for 10 minutes.</p>
    <${Form} act=${verify} submit="Continue"
      places=${{ 'identity.code_wrong': 'code', 'http.validation_failed': 'code' }}
      also=${html`<button type="button" class="link" onClick=${to('up')}>Start again</button>`}>
      ${(errors: Record<string, string>) => html`<${Field} name="code" label="Code" inputmode="numeric"
        autocomplete="one-time-code" required
        maxlength="20" placeholder="123456" class="code" error=${errors['code']} />`}
    <//>
    ${capturesMails.value && html`<p class="small muted">No mail server is set here:${' '}
      <button type="button" class="link" onClick=${() => { showsMails.value = !showsMails.value }}>
        ${showsMails.value ? 'hide the captured mails' : 'read the captured mails'}</button>.</p>
      ${showsMails.value && html`<${MailBox} to=${flow.value?.email} />`}`}`
}

/** One card: sign in, sign up, code. */
export function Sign (): Node {
  return html`<main class="sign"><div class="sign-card">
    <div class="sign-brand"><${Mark} /><span>Switchyard</span></div>
    ${endNote.value !== '' && html`<p class="form-problem" role="alert">${endNote.value}</p>`}
    ${view.value === 'in' && html`<${SignIn} />`}
    ${view.value === 'up' && html`<${SignUp} />`}
    ${view.value === 'code' && html`<${Code} />`}
  </div></main>`
}

async function changePassword ({ newPassword }: Record<string, string>): Promise<void> {
  await send({ method: 'PUT', path: '/v1/identity/password', body: { newPassword } })
  location.reload()
}

/** The first operator comes with a one-time password, and may do nothing else before it is changed. */
export function FirstPassword (): Node {
  return html`<main class="sign"><div class="sign-card">
    <div class="sign-brand"><${Mark} /><span>Switchyard</span></div>
    <h1>Choose your password</h1>
    <p>The password you came with works once. Everything opens after this.</p>
    <${Form} act=${changePassword} submit="Save and go on" places=${{ 'identity.weak_password': 'newPassword' }}
      also=${html`<button type="button" class="link" onClick=${() => { void signOut() }}>Sign out</button>`}>
      ${(errors: Record<string, string>) => html`<${Field} name="newPassword" label="New password" type="password"
        autocomplete="new-password"
        required minlength="15" maxlength="1024" hint="15 characters or more; a sentence is good."
          error=${errors['newPassword']} />`}
    <//>
  </div></main>`
}
