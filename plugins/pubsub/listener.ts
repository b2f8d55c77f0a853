import type { FastifyInstance } from 'fastify'
import type { HubLive } from './live.ts'

/** Placeholder until the stream is read here. */
export function startListener (_app: FastifyInstance, _live: HubLive): void {}
