// A REST client of the script: a bearer token, one retry loop for a server that is coming back, every page of a list.
import { setTimeout as sleep } from 'node:timers/promises'

export interface Answer<T> { status: number, headers: Headers, body: T }

export interface Rest {
  origin: string
  call: <T = Json>(method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer<T>>
  /** The body of a 2xx answer; throws with the problem's code otherwise. */
  ask: <T = Json>(method: string, path: string, body?: unknown) => Promise<T>
  /** Every item of a list, page by page. */
  all: <T = Json>(path: string) => Promise<T[]>
}

// Answers are read by name; a missing member shows as a failed row.

export type Json = any

const patienceMs = 60_000
/** A process that died may leave a connection that nobody answers. */
const answerMs = 20_000

/** A client of one server; `token` is asked at every call. */
export function createRest (origin: string, token: () => string | undefined): Rest {
  async function call<T> (
    method: string, path: string, body?: unknown, headers: Record<string, string> = {}
  ): Promise<Answer<T>> {
    const bearer = token()
    const key = method === 'POST' ? { 'idempotency-key': crypto.randomUUID() } : {}
    const request: RequestInit = {
      method,
      redirect: 'manual',
      headers: {
        ...key,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
        ...headers
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    }
    const answer = await patiently(async () => await fetch(
      new URL(path, origin), { ...request, signal: AbortSignal.timeout(answerMs) }))
    const text = await answer.text()
    const isJson = answer.headers.get('content-type')?.includes('json') === true && text !== ''
    return { status: answer.status, headers: answer.headers, body: (isJson ? JSON.parse(text) : text) as T }
  }

  async function ask<T> (method: string, path: string, body?: unknown): Promise<T> {
    const answer = await call<T>(method, path, body)
    if (answer.status < 300) return answer.body
    const { code, detail, title } = answer.body as Json
    throw new Error(`${method} ${path} answered ${answer.status} ${code ?? ''} ${detail ?? title ?? ''}`)
  }

  async function all<T> (path: string): Promise<T[]> {
    const items: T[] = []
    let cursor: string | undefined
    do {
      const query = `${path.includes('?') ? '&' : '?'}limit=100${cursor === undefined ? '' : `&cursor=${cursor}`}`
      const { data, page } = await ask<{ data: T[], page: { next?: string } }>('GET', `${path}${query}`)
      items.push(...data)
      cursor = page.next
    } while (cursor !== undefined)
    return items
  }

  return { origin, call, ask, all }
}

/** A server or store that was killed is away for a while: connection errors, 429 and 503 are tried again. */
async function patiently (send: () => Promise<Response>): Promise<Response> {
  const end = Date.now() + patienceMs
  for (;;) {
    try {
      const answer = await send()
      if ((answer.status !== 503 && answer.status !== 429) || Date.now() > end) return answer
      await answer.body?.cancel()
      await sleep(Math.max(200, 1000 * Number(answer.headers.get('retry-after') ?? 0)))
    } catch (error) {
      if (Date.now() > end) throw error
      await sleep(200)
    }
  }
}

/** Waits until `look` answers something; throws what was awaited when it does not come in time. */
export async function until<T> (
  what: string, timeoutMs: number, look: () => Promise<T | undefined | false> | T | undefined | false
): Promise<T> {
  const end = Date.now() + timeoutMs
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    if (Date.now() > end) throw new Error(`${what} did not come within ${timeoutMs / 1000} s`)
    await sleep(50)
  }
}
