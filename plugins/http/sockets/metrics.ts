import { Counter, Gauge, type Registry } from 'prom-client'

/** Figures of the hub of a server; labels name topics, never channels. */
export function createHubMetrics (registry: Registry) {
  const counter = <L extends string>(name: string, help: string, labelNames: L[]): Counter<L> =>
    new Counter({ name: `switchyard_live_${name}`, help, labelNames, registers: [registry] })
  return {
    connections: new Gauge({ name: 'switchyard_live_connections', help: 'Open sockets', registers: [registry] }),
    subscriptions: new Gauge({
      name: 'switchyard_live_subscriptions', help: 'Subscriptions', labelNames: ['topic'], registers: [registry]
    }),
    publications: counter('publications_total', 'Publications heard', ['topic']),
    repairs: counter('repairs_total', 'Holes that Pub/Sub left', ['topic']),
    epochs: counter('epochs_renewed_total', 'Epochs that ended', ['topic']),
    recoveries: counter('recoveries_total', 'Answers to positions', ['outcome'])
  }
}
