import { CallError, readProblem } from './problem.ts'
import { currentToken, freshToken, refreshTokens } from './tokens.ts'

/** A call as it can be repeated by hand. */
export interface Call { method: string, path: string, body?: unknown }

interface Options { isPublic?: boolean, signal?: AbortSignal }

let onPasswordChange: () => void = () => {}

/** Called when the server wants the password changed before anything else. */
export function whenPasswordMustChange (act: () => void): void {
  onPasswordChange = act
}

/** Sends a call and answers the body; a token that expired meanwhile is renewed once. Throws `CallError`. */
export async function send<T = unknown> (call: Call, options: Options = {}): Promise<T> {
  const token = options.isPublic === true ? undefined : await freshToken()
  let answer = await ask(call, token, options)
  if (answer.status === 401 && token !== undefined) {
    const next = token === currentToken() ? await refreshTokens() : await freshToken()
    answer = await ask(call, next, options)
  }
  if (!answer.ok) {
    const problem = await readProblem(answer)
    if (problem.code === 'identity.password_change_required') onPasswordChange()
    throw new CallError(problem)
  }
  return (answer.status === 204 ? undefined : await answer.json()) as T
}

async function ask ({ method, path, body }: Call, token: string | undefined, { signal }: Options): Promise<Response> {
  const headers: Record<string, string> = { accept: 'application/json' }
  if (token !== undefined) headers['authorization'] = `Bearer ${token}`
  if (token !== undefined && method === 'POST') headers['idempotency-key'] = crypto.randomUUID()
  if (body !== undefined) headers['content-type'] = 'application/json'
  return await fetch(path, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal })
  })
}

export async function get<T> (path: string, options?: Options): Promise<T> {
  return await send<T>({ method: 'GET', path }, options)
}

export async function post<T = unknown> (path: string, body: unknown = {}, options?: Options): Promise<T> {
  return await send<T>({ method: 'POST', path, body }, options)
}

/** The call as a line for a terminal; the token stays out of it. */
export function toCurl ({ method, path, body }: Call): string {
  const quote = (text: string): string => `'${text.replaceAll("'", '\'\\\'\'')}'`
  const parts = ['curl', ...(method === 'GET' ? [] : ['-X', method]), quote(new URL(path, location.href).href)]
  parts.push('-H "authorization: Bearer $TOKEN"')
  if (method === 'POST') parts.push('-H "idempotency-key: $(uuidgen)"')
  if (body !== undefined) parts.push(`-H 'content-type: application/json' -d ${quote(JSON.stringify(body))}`)
  return parts.join(' ')
}
