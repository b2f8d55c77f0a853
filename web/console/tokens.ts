import { CallError, readProblem } from './problem.ts'

interface Tokens { accessToken: string, expiresInS: number }

let accessToken: string | undefined
let expiresAt = 0
let refreshing: Promise<string> | undefined
let onEnd: () => void = () => {}

/** Keeps the access token in memory only; a script that gets in after a reload finds nothing. */
export function keepTokens (tokens: Tokens): void {
  accessToken = tokens.accessToken
  expiresAt = performance.now() + tokens.expiresInS * 1000
}

export function forgetTokens (): void {
  accessToken = undefined
  expiresAt = 0
}

/** Called when the session turns out to have ended. */
export function whenSessionEnds (act: () => void): void {
  onEnd = act
}

export function currentToken (): string | undefined {
  return accessToken
}

/** A token that is good for 20 s at least. Throws when the session has ended. */
export async function freshToken (): Promise<string> {
  if (accessToken !== undefined && performance.now() < expiresAt - 20_000) return accessToken
  return await refreshTokens()
}

/** New tokens for the cookie; tabs take turns, since each use of the cookie replaces it. */
export async function refreshTokens (): Promise<string> {
  refreshing ??= navigator.locks.request('switchyard.refresh', refresh).finally(() => { refreshing = undefined })
  return await refreshing
}

async function refresh (): Promise<string> {
  const answer = await fetch('/v1/identity/tokens/refresh', {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}'
  })
  if (!answer.ok) {
    const problem = await readProblem(answer)
    if (answer.status === 401) {
      forgetTokens()
      onEnd()
    }
    throw new CallError(problem)
  }
  const tokens = await answer.json() as Tokens
  keepTokens(tokens)
  return tokens.accessToken
}

/** The workspace that the token is for. */
export function workspaceOfToken (token: string): string {
  const payload = token.split('.')[1] ?? ''
  const claims = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/'))) as { wid: string }
  return claims.wid
}
