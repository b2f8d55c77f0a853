import fp from 'fastify-plugin'
import type { Breakers } from '../src/kernel/index.ts'
import { createCircuit, type Circuit, type Counts } from './breaker/circuit.ts'

declare module 'fastify' {
  interface FastifyInstance { breakers: Breakers }
}

/** Names come from addresses that strangers type: the one used longest ago makes room. */
const maxBreakers = 500

const breaker = fp(async function breaker (app) {
  const circuits = new Map<string, Circuit>()
  let newest: { name: string, circuit: Circuit } | undefined
  app.decorate('breakers', {
    call<T> (name: string, work: () => Promise<T>, { counts = () => true }: { counts?: Counts } = {}) {
      if (newest?.name !== name) newest = { name, circuit: take(circuits, name) }
      return newest.circuit.call(work, counts) as Promise<T>
    }
  })
  app.addHook('onClose', () => {
    for (const circuit of circuits.values()) circuit.close()
  })
}, { name: 'breaker', dependencies: ['telemetry'] })

export default breaker

function take (circuits: Map<string, Circuit>, name: string): Circuit {
  const circuit = circuits.get(name) ?? createCircuit(name)
  circuits.delete(name)
  circuits.set(name, circuit)
  const [oldest] = circuits.keys()
  if (circuits.size > maxBreakers && oldest !== undefined) {
    circuits.get(oldest)?.close()
    circuits.delete(oldest)
  }
  return circuit
}
