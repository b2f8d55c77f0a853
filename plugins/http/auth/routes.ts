import type { RouteOptions } from 'fastify'
import { rateClasses, type Registry, type RouteAuth } from '../../../src/kernel/index.ts'
import { didYouMean } from '../../errors/nearest.ts'
import { openPlaces } from './schemas.ts'

const isoProblems = new Set(['HEAD', 'OPTIONS'])

/** What is wrong with the declarations of the collected routes, a sentence each; empty: all may serve. */
export function judgeRoutes (routes: readonly RouteOptions[], registry: Registry): string[] {
  const judged = routes.filter(({ method }) => [method].flat().some((one) => !isoProblems.has(one)))
  const seen = new Map<string, string>()
  return judged.flatMap((route) => {
    const name = `${[route.method].flat().join(',')} ${route.url}`
    const problems = [...judgeAuth(route, registry), ...judgeLimit(route), ...judgeSchema(route, seen, name)]
    return problems.map((problem) => `${name} ${problem}`)
  })
}

function judgeAuth ({ config, url }: RouteOptions, registry: Registry): string[] {
  const auth = config?.auth
  if (auth === undefined) return ['has no auth.']
  if ('public' in auth) {
    const reason = auth.public.length < 20 ? ['is public for a reason of less than 20 characters.'] : []
    return 'by' in auth ? [...reason, 'is public and names proofs.'] : reason
  }
  return [
    ...judgePermission(auth.permission, registry),
    ...judgeOwner(auth, url),
    ...(auth.freshness !== undefined && auth.freshness > 0 && !auth.by.includes('session')
      ? ['asks for freshness but takes no session.']
      : [])
  ]
}

function judgePermission (permission: string, registry: Registry): string[] {
  if (permission === 'self' || registry.permissions.has(permission)) return []
  const hint = didYouMean(permission, registry.permissions.keys())
  return [`names the permission "${permission}", which nobody declares.${hint}`]
}

type Guarded = Exclude<RouteAuth, { public: string }>

function judgeOwner ({ owner }: Guarded, url: string): string[] {
  const params = [...url.matchAll(/:([A-Za-z]+)/g)].map(([, name]) => name as string)
  if (owner === undefined) {
    return params.map((name) => `has the parameter "${name}" and neither owner nor owner: { none }.`)
  }
  if (typeof owner !== 'string') return []
  const [, name = ''] = /^param:([A-Za-z]+)(:[a-z.-]+)?$/.exec(owner) ?? []
  if (params.includes(name)) return []
  return [`names the owner "${owner}", which is no parameter of it.${didYouMean(name, params)}`]
}

function judgeLimit ({ config }: RouteOptions): string[] {
  const limit = config?.limit
  if (limit === undefined) return ['has no limit.']
  return rateClasses.includes(limit) ? [] : [`names the limit "${String(limit)}".${didYouMean(limit, rateClasses)}`]
}

interface RouteSchema {
  hide?: boolean, operationId?: string, tags?: string[], summary?: string, response?: object
  body?: object, querystring?: object, params?: object, headers?: object
}

function judgeSchema (route: RouteOptions, seen: Map<string, string>, name: string): string[] {
  const schema = (route.schema ?? {}) as RouteSchema
  // A door for sockets has its own document (AsyncAPI).
  const { websocket, wsHandler } = route as { websocket?: boolean, wsHandler?: unknown }
  if (route.config?.isForeign === true || websocket === true || wsHandler !== undefined) return []
  const missing = (['operationId', 'tags', 'summary', 'response'] as const).filter((key) => schema[key] === undefined)
  const id = schema.operationId
  const other = id === undefined ? undefined : seen.get(id)
  if (id !== undefined) seen.set(id, name)
  return [
    ...missing.map((key) => `has no ${key}.`),
    ...(other === undefined ? [] : [`has the operationId "${String(id)}" of ${other}.`]),
    ...(['body', 'querystring', 'params', 'headers'] as const).flatMap((part) => openPlaces(schema[part], part))
  ]
}
