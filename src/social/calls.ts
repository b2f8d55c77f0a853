import { isDomainError, type Breakers, type FetchAnswer, type SafeFetch } from '../kernel/index.ts'
import type { Call, CallRequest, RawAnswer } from './connectors/port.ts'
import { SocialError } from './errors.ts'
import type { Platform } from './schemas.ts'

type Collaborators = { fetch: Pick<SafeFetch, 'buffer'>, breakers: Breakers }

export interface CallTarget { platform: Platform, instance: string, token?: string, signal?: AbortSignal }

export type OpenCall = (target: CallTarget) => Call

/** The way to an instance: safe fetch behind the breaker of the instance. Throws `instance_unreachable` and its kin. */
export function createCalls ({ fetch, breakers }: Collaborators): OpenCall {
  return ({ platform, instance, token, signal }) => async (request) => {
    const exchange = async (): Promise<RawAnswer> => {
      const answer = await fetch.buffer(
        'api', httpRequest(instance, request, token), signal === undefined ? {} : { signal })
      const raw = { status: answer.status, headers: answer.headers, body: parse(answer) }
      if (raw.status >= 500) throw new ServerFault(raw)
      return raw
    }
    try {
      return await breakers.call(`${platform}:${instance}`, exchange, { counts: isFault })
    } catch (error) {
      if (error instanceof ServerFault) return error.answer
      throw judge(error)
    }
  }
}

/** An answer that the breaker must see as a failure although it is one for the connector. */
class ServerFault extends Error {
  override readonly name = 'ServerFault'
  readonly answer: RawAnswer

  constructor (answer: RawAnswer) {
    super(`the platform answered ${answer.status}`)
    this.answer = answer
  }
}

function httpRequest (
  instance: string, { method = 'GET', path, form, isAuthorized = false }: CallRequest, token?: string
) {
  return {
    url: instance + path,
    method,
    headers: {
      accept: 'application/json',
      ...(form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
      ...(isAuthorized && token !== undefined ? { authorization: `Bearer ${token}` } : {})
    },
    ...(form === undefined ? {} : { body: new URLSearchParams(form).toString() })
  }
}

function parse ({ body, status }: FetchAnswer & { body: Buffer }): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch (cause) {
    if (status >= 200 && status < 300 && body.length > 0) {
      throw SocialError.upstream_answer_invalid({}, { detail: 'The answer is no JSON.', cause })
    }
    return undefined
  }
}

/** Only what says that the server is in trouble: a refused address or a bad page says nothing about its health. */
function isFault (error: unknown): boolean {
  return error instanceof ServerFault ||
    (isDomainError(error) && error.kind === 'unavailable' && error.code !== 'social.upstream_answer_invalid')
}

const refused = new Set(['fetch.forbidden_target', 'fetch.bad_url', 'fetch.redirect_downgrade'])
const unreadable = new Set(
  ['fetch.too_large', 'fetch.bomb', 'fetch.bad_encoding', 'fetch.redirect_limit', 'fetch.bad_answer'])

function judge (error: unknown): unknown {
  if (!isDomainError(error) || !error.code.startsWith('fetch.')) return error
  if (refused.has(error.code)) return SocialError.instance_refused({}, { cause: error })
  if (unreadable.has(error.code)) {
    return SocialError.upstream_answer_invalid(
      {}, { detail: error.definition.message, cause: error })
  }
  return SocialError.instance_unreachable({}, { detail: error.definition.message, cause: error })
}
