import { computed, signal } from '@preact/signals'
import { get, send, whenPasswordMustChange } from './api.ts'
import { problemOf, type Problem } from './problem.ts'
import { forgetTokens, freshToken, keepTokens, refreshTokens, whenSessionEnds, workspaceOfToken } from './tokens.ts'

export interface User { id: string, email: string, displayName: string, zone: string, createdAt: string }
export interface Workspace { id: string, name: string, roles: string[] }

type Stage = 'unknown' | 'unreachable' | 'out' | 'in' | 'password'

export const stage = signal<Stage>('unknown')
export const user = signal<User | undefined>(undefined)
export const workspace = signal<Workspace | undefined>(undefined)
/** Whoever looks after the installation. */
export const isOperator = computed(() => workspace.value?.roles.includes('operator') === true)
export const bootProblem = signal<Problem | undefined>(undefined)
/** Why the sign-in page is shown although somebody was signed in. */
export const endNote = signal('')
/** Whether the server keeps mails for us to read, because no mail server is set. */
export const capturesMails = signal(false)

whenSessionEnds(() => {
  if (stage.value === 'in') endNote.value = 'Your session has ended. Sign in again.'
  leave()
})
whenPasswordMustChange(() => { stage.value = 'password' })

const hintKey = 'switchyard.signed-in'

function leave (): void {
  localStorage.removeItem(hintKey)
  user.value = undefined
  workspace.value = undefined
  stage.value = 'out'
}

/** Takes up the session of the cookie, if there is one. */
export async function resume (): Promise<void> {
  void lookForMails()
  // Whoever never signed in here has no cookie: the first thing they see is no refused call.
  if (localStorage.getItem(hintKey) === null) {
    leave()
    return
  }
  try {
    await refreshTokens()
    await enter()
  } catch (error) {
    const problem = problemOf(error)
    if (stage.value === 'password') return
    if (problem.status === 401 || problem.status === 400) leave()
    else {
      bootProblem.value = problem
      stage.value = 'unreachable'
    }
  }
}

interface SignedIn { accessToken: string, expiresInS: number }

/** Goes in with tokens of a sign-in or sign-up. */
export async function enterWith (tokens: SignedIn): Promise<void> {
  keepTokens(tokens)
  localStorage.setItem(hintKey, '1')
  endNote.value = ''
  try {
    await enter()
  } catch (error) {
    if (stage.peek() !== 'password') throw error
  }
}

async function enter (): Promise<void> {
  const id = workspaceOfToken(await freshToken())
  const [me, { data }] = await Promise.all([
    get<User>('/v1/identity/users/me'), get<{ data: Workspace[] }>('/v1/identity/workspaces')
  ])
  user.value = me
  workspace.value = data.find((one) => one.id === id) ?? data[0]
  stage.value = 'in'
}

export async function signOut (): Promise<void> {
  await send({ method: 'DELETE', path: '/v1/identity/sessions/current' })
  forgetTokens()
  leave()
}

/** Only somebody at this machine is shown captured mails; nobody else asks, and sees no refused call. */
async function lookForMails (): Promise<void> {
  const isHere = /^(localhost|127\.[\d.]+|\[::1\])$|\.localhost$/.test(location.hostname)
  const isCaptured = document.querySelector<HTMLMetaElement>('meta[name=mails]')?.content === 'capture'
  if (!isHere || !isCaptured) return
  const answer = await fetch('/v1/notifications/captured-mails').catch(() => undefined)
  capturesMails.value = answer?.ok === true
}
