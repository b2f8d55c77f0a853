import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import type { IServerAdapter } from '@bull-board/api/typings/app'
import { FastifyAdapter } from '@bull-board/fastify'
import Fastify, { type FastifyInstance } from 'fastify'
import type { BoardQueues } from '../../queue/board-queues.ts'

/** The board as an app of its own: what it asks of others (fonts) is cut out of its page. */
export async function buildBoard ({ queues }: BoardQueues, basePath: string): Promise<FastifyInstance> {
  const serverAdapter = new FastifyAdapter()
  serverAdapter.setBasePath(basePath)
  createBullBoard({
    queues: queues.map(({ queue, label }) => new BullMQAdapter(queue, {
      readOnlyMode: true,
      allowRetries: false,
      prefix: label,
      // The delivery holds an id and nothing else: what the run is stands in the store. A link sends no bearer token:
      // it leads to the page of the console that reads the REST view.
      externalJobUrl: ({ data }) => {
        const { r = '' } = data as { r?: string }
        return { displayText: `run ${r}`, href: `/console/work/runs/${encodeURIComponent(r)}` }
      }
    })),
    // It names the interface of its own copy of the same package.
    serverAdapter: serverAdapter as unknown as IServerAdapter,
    options: {
      uiConfig: { boardTitle: 'Switchyard: the queues', miscLinks: [], hideRedisDetails: true }
    }
  })
  const app = Fastify()
  await app.register(serverAdapter.registerPlugin() as never)
  app.addHook('onSend', async (_request, reply, payload) =>
    String(reply.getHeader('content-type')).startsWith('text/html') && typeof payload === 'string'
      ? payload.replace(/<link[^>]+https?:\/\/[^>]+>/g, '')
      : payload)
  await app.ready()
  return app
}
