import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { HttpError, createRegistry, type Declarations, type Registry } from '../src/kernel/index.ts'
import { IdParams, OperationSchema, PageInfoSchema, PositionSchema } from '../src/kernel/schemas.ts'
import { classify } from './errors/classify.ts'
import { sendProblem } from './errors/problem.ts'
import { createRouteTable } from './errors/routes.ts'
import { ErrorListSchema, ErrorPageSchema, ProblemSchema } from './errors/schemas.ts'

export interface ErrorsOptions {
  /** Origin under which the pages of the codes stand; without it their addresses are relative. */
  publicUrl?: string
}

declare module 'fastify' {
  interface FastifyInstance {
    registry: Registry
    declare (declarations: Declarations): void
  }
}

const kernel: Declarations = {
  domain: 'http',
  errors: HttpError,
  schemas: [ProblemSchema, ErrorPageSchema, ErrorListSchema, IdParams, PageInfoSchema, PositionSchema, OperationSchema]
}

export default fp<ErrorsOptions>(async function errors (app, { publicUrl = '' }) {
  const registry = createRegistry()
  const routes = createRouteTable()

  function declare (declarations: Declarations): void {
    registry.declare(declarations)
    for (const schema of declarations.schemas ?? []) app.addSchema(schema)
  }

  function answer (thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const error = classify(thrown)
    request.problemCode = error.code
    if (error.definition.status >= 500) app.log.error({ requestId: request.id, err: thrown }, 'request failed')
    return sendProblem(error, request, reply, publicUrl)
  }

  app.decorate('registry', registry)
  app.decorate('declare', declare)
  app.decorateRequest('problemCode', '')
  declare(kernel)
  app.addHook('onRoute', ({ url, method }) => { routes.add(url, method) })
  app.setErrorHandler(answer)
  app.setNotFoundHandler((request, reply) => {
    const allowed = routes.allowed(request.url.split('?', 1)[0] as string)
    if (allowed.length === 0) return answer(HttpError.route_not_found(), request, reply)
    reply.header('allow', allowed.join(', '))
    return answer(HttpError.method_not_allowed({ allowed }), request, reply)
  })
}, { name: 'errors', dependencies: ['telemetry'] })

declare module 'fastify' {
  interface FastifyRequest {
    /** Code of the problem that answered; empty where none did. */
    problemCode: string
  }
}
