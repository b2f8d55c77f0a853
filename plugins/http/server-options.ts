import { LogController, type FastifyHttpOptions, type RawServerDefault } from 'fastify'
import type { Config } from '../../src/config/index.ts'
import { classify } from '../errors/classify.ts'
import { sendProblem } from '../errors/problem.ts'
import { twoValidators } from './negotiation/validators.ts'
import { answerClientError } from './server-options/client-errors.ts'
import { requestIds } from './server-options/ids.ts'
import { loggerOptions } from './server-options/logger.ts'

interface Options { role: 'server' | 'worker', config: Config, offline: boolean }

/** Largest body of a route that says nothing else. */
const bodyLimit = 1024 * 1024

/** Options of Fastify in every process: limits and times of `conventions.md` 4.1 and 4.8, ids, the logger. */
export function serverOptions ({ role, config, offline }: Options): FastifyHttpOptions<RawServerDefault> {
  const { publicUrl, trustedProxies } = config.http
  return {
    logger: offline ? false : loggerOptions(config.logLevel, role) as never,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    // The logger finds the id of the request by itself: a logger for each would cost as much as its answer.
    childLoggerFactory: (logger) => logger,
    genReqId: requestIds(trustedProxies),
    trustProxy: trustedProxies.length > 0 ? [...trustedProxies] : false,
    bodyLimit,
    requestTimeout: 300_000,
    keepAliveTimeout: 72_000,
    http: { headersTimeout: 10_000, maxHeaderSize: 16 * 1024, connectionsCheckingInterval: 5000, optimizeEmptyRequests: true },
    // Requests of a connection that is still open are answered while the server drains.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 2048 },
    schemaController: { compilersFactory: { buildValidator: twoValidators() } },
    frameworkErrors: (error, request, reply) => sendProblem(classify(error), request, reply, publicUrl) as never,
    clientErrorHandler: answerClientError(publicUrl) as never
  }
}
