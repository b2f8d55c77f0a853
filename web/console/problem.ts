/** One refused place of a request. */
export interface FieldProblem { in: string, pointer: string, code: string, detail: string }

/** A failed call as the server tells it (RFC 9457); `status` 0 where no answer came. */
export interface Problem {
  status: number
  code: string
  title: string
  detail?: string
  requestId?: string
  retryAfterMs?: number
  errors?: FieldProblem[]
  [member: string]: unknown
}

/** A call that did not succeed; thrown by everything in `api.ts`. */
export class CallError extends Error {
  readonly problem: Problem

  constructor (problem: Problem) {
    super(problem.title)
    this.problem = problem
  }
}

const offline: Problem = { status: 0, code: 'offline', title: 'The server does not answer.', retryAfterMs: 3000 }

/** The problem of whatever was thrown; a bug in the page stays visible as one. */
export function problemOf (error: unknown): Problem {
  if (error instanceof CallError) return error.problem
  if (error instanceof TypeError && /fetch|network/i.test(error.message)) return offline
  return { status: 0, code: 'page.broken', title: 'The page made a mistake.', detail: String(error) }
}

/** Reads the body of a failed answer. */
export async function readProblem (answer: Response): Promise<Problem> {
  const isJson = answer.headers.get('content-type')?.includes('json') === true
  const body: unknown = isJson ? await answer.json() : undefined
  if (typeof body === 'object' && body !== null && 'code' in body) return body as Problem
  return { status: answer.status, code: `http.${answer.status}`, title: `The server answered ${answer.status}.` }
}

const adviceByCode: Record<string, string> = {
  offline: 'Check that the server runs and the network works.',
  'identity.login_failed': 'Check both, then try again.',
  'identity.permission_denied': 'Ask an owner of the workspace for the right to do this.',
  'identity.too_many_attempts': 'Wait a little, then try again.',
  'social.connect_denied': 'Nothing was stored. Try again, or use another account.',
  'social.scope_missing': 'Nothing was stored. Allow everything that is asked for, then try again.'
}

const adviceByStatus: Record<number, string> = {
  401: 'Sign in again.',
  403: 'This is not allowed here.',
  404: 'It was removed, or the address is mistyped.',
  409: 'Somebody or something was faster. Look at the current state, then try again.'
}

/** What a person can do about it, in words. */
export function adviceOf ({ status, code, retryAfterMs }: Problem): string {
  const known = adviceByCode[code] ?? adviceByStatus[status]
  if (known !== undefined) return known
  if (status === 429) return retryAfterMs === undefined ? 'Wait a moment.' : `Wait ${Math.ceil(retryAfterMs / 1000)} s.`
  if (status > 0 && status < 500) return 'Change what was sent.'
  return 'Nothing was changed. Try again; the request id helps whoever looks into it.'
}

/** Sentences of refused fields by the name of the field, from the pointers of the problem. */
export function fieldErrors (problem: Problem | undefined): Record<string, string> {
  const entries = (problem?.errors ?? []).map(({ pointer, detail }) => [pointer.split('/')[1] ?? '', detail])
  return Object.fromEntries(entries) as Record<string, string>
}
