import { defineErrors } from '../kernel/index.ts'

export const AnalyticsError = defineErrors('analytics', {
  query_invalid: { kind: 'invalid', message: 'The query cannot be answered as it stands.' },
  query_too_large: { kind: 'invalid', message: 'The query would read too many events; narrow it.' },
  query_timeout: { kind: 'unavailable', message: 'The query took too long.' },
  rule_invalid: { kind: 'invalid', message: 'The alert rule cannot work as it stands.' },
  too_many_events: { kind: 'invalid', message: 'A call brings at most 2,000 events.' },
  alert_not_found: { kind: 'not_found', message: 'No alert rule has this id.' },
  backpressure: { kind: 'rate_limited', message: 'Events come faster than they can be kept.' },
  ingest_unavailable: {
    kind: 'unavailable', message: 'Events cannot be kept right now; send them again with their ids.'
  }
})
