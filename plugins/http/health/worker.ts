import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { answerHealth, type HealthPath } from './answers.ts'
import { createProbe } from './checks.ts'

/** The small port of a worker: `/health/*` and `/metrics` on loopback; answers the port. Closes with the app. */
export async function startWorkerHealth (
  app: FastifyInstance, port: number
): Promise<{ port: number, close: () => Promise<void> }> {
  const probe = createProbe(app.healthChecks, app.log)
  const state = { isReady: true, isDraining: false }
  const server = createServer((request, response) => {
    const path = request.url?.split('?', 1)[0] ?? ''
    if (path === '/metrics') {
      app.metrics.metrics().then((text) => { response.setHeader('content-type', app.metrics.contentType).end(text) },
        () => { response.writeHead(500).end() })
      return
    }
    if (!isHealthPath(path)) {
      response.writeHead(404).end()
      return
    }
    const { status, body } = answerHealth(path, probe, state)
    response.writeHead(status, { 'content-type': 'application/health+json', 'cache-control': 'no-store' })
      .end(JSON.stringify(body))
  })
  server.unref()
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  await probe.start()
  return {
    port: (server.address() as AddressInfo).port,
    async close () {
      state.isDraining = true
      await Promise.all([probe.stop(), closeServer(server)])
    }
  }
}

function isHealthPath (path: string): path is HealthPath {
  return ['/health', '/health/live', '/health/ready', '/health/startup'].includes(path)
}

async function closeServer (server: Server): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}
