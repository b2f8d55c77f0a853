/** Telemetry of the product itself: never throws, never waits; dropped and counted without a sink. */
export interface Analytics {
  track (name: string, properties?: Record<string, string | number | boolean>): void
  measure (series: string, value: number): void
  bind (sink: AnalyticsSink): void
}

export interface AnalyticsSink {
  /** `at` in milliseconds since the epoch. */
  record (events: ReadonlyArray<MappedEvent & { at: number }>): Promise<void>
}

/** One analytics event made of a domain event. */
export interface MappedEvent {
  name: string
  props: Record<string, string | number | boolean>
}

/** Which events of a domain count, as pure functions of the event; item i gets the source id `<event id>:<i>`. */
export interface AnalyticsMapping {
  event: string
  map: (data: never) => MappedEvent[]
}
