import Fastify, { type FastifyHttpOptions, type FastifyInstance, type RawServerDefault } from 'fastify'
import type { Config } from '../../src/config/index.ts'
import { classify } from '../errors/classify.ts'
import { sendProblem } from '../errors/problem.ts'
import { twoValidators } from './negotiation/validators.ts'
import { Answer } from './server-options/answer.ts'
import { answerClientError } from './server-options/client-errors.ts'
import { requestIds } from './server-options/ids.ts'
import { createLogger } from './server-options/logger.ts'

interface Options { role: 'server' | 'worker', config: Config, offline: boolean }

/** Largest body of a route that says nothing else. */
const bodyLimit = 1024 * 1024

/** The app of a process, with nothing registered but its logger. */
export function createApp (options: Options): FastifyInstance {
  const app = Fastify(serverOptions(options)) as unknown as FastifyInstance
  const { role, config, offline } = options
  if (!offline) app.log = createLogger(config.logLevel, role)
  return app
}

/** Options of Fastify in every process: limits and times of `conventions.md` 4.1 and 4.8, ids. */
function serverOptions ({ config }: Options): FastifyHttpOptions<RawServerDefault> {
  const { publicUrl, trustedProxies } = config.http
  return {
    // The app gets its logger below: Fastify would give each request one of its own and watch over its end for it.
    logger: false,
    genReqId: requestIds(trustedProxies),
    trustProxy: trustedProxies.length > 0 ? [...trustedProxies] : false,
    bodyLimit,
    requestTimeout: 300_000,
    keepAliveTimeout: 72_000,
    http: {
      headersTimeout: 10_000,
      maxHeaderSize: 16 * 1024,
      connectionsCheckingInterval: 5000,
      optimizeEmptyRequests: true,
      ServerResponse: Answer as never
    },
    // Requests of a connection that is still open are answered while the server drains.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 2048 },
    schemaController: { compilersFactory: { buildValidator: twoValidators() } },
    frameworkErrors: (error, request, reply) => sendProblem(classify(error), request, reply, publicUrl) as never,
    clientErrorHandler: answerClientError(publicUrl) as never
  }
}
