import type { FastifyInstance, FastifyReply } from 'fastify'
import type { JobDefinition } from '../../src/kernel/index.ts'
import type { Operation } from '../../src/kernel/schemas.ts'

/** 202 with the operation that the run is. */
export async function accept (
  app: FastifyInstance, reply: FastifyReply, { name }: Pick<JobDefinition, 'name'>, { id }: { id: string },
  location = `/v1/operations/${id}`
): Promise<void> {
  const now = app.clock.now().toISOString()
  const operation: Operation = { id, type: name, state: 'pending', createdAt: now, updatedAt: now, expiresAt: null }
  await reply.code(202).header('location', location).send(operation)
}
