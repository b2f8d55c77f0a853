import { createServer, type Server, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { answerHealth, type HealthPath } from './answers.ts'
import { createProbe } from './checks.ts'

/**
 * Readies a worker and opens its small port, closed with the app: health, `/metrics`, `/scaling`, for anybody. Answers
 * the address under which this machine does.
 */
export async function startWorkerHealth (
  app: FastifyInstance, { host, port }: { host: string, port: number }
): Promise<string> {
  const probe = createProbe(app.healthChecks, app.log)
  const server = createServer((request, response) => {
    const path = request.url?.split('?', 1)[0] ?? ''
    if (path === '/metrics') {
      app.metrics.metrics().then((text) => { response.setHeader('content-type', app.metrics.contentType).end(text) },
        () => { response.writeHead(500).end() })
      return
    }
    if (path === '/scaling') {
      app.scaling().then(
        (wanted) => { sendJson(response, 'application/json', wanted) }, () => { response.writeHead(503).end() })
      return
    }
    if (!isHealthPath(path)) {
      response.writeHead(404).end()
      return
    }
    const { status, body } = answerHealth(path, probe, { isReady: true, isDraining: app.healthChecks.isDraining() })
    sendJson(response, 'application/health+json', body, status)
  })
  app.addHook('onClose', async () => {
    await Promise.all([probe.stop(), closeServer(server)])
  })
  await app.ready()
  server.unref()
  server.listen(port, host)
  await once(server, 'listening')
  await probe.start()
  return urlOf(server.address() as AddressInfo)
}

/** A wildcard is no address to call. */
function urlOf ({ address, family, port }: AddressInfo): string {
  if (family === 'IPv6') return `http://[${address === '::' ? '::1' : address}]:${port}`
  return `http://${address === '0.0.0.0' ? '127.0.0.1' : address}:${port}`
}

function sendJson (response: ServerResponse, type: string, body: object, status = 200): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(JSON.stringify(body))
}

function isHealthPath (path: string): path is HealthPath {
  return ['/health', '/health/live', '/health/ready', '/health/startup'].includes(path)
}

async function closeServer (server: Server): Promise<void> {
  if (!server.listening) return
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}
