export interface Fact<T = unknown> { value: T, unit?: string, source: string, readOn: string }

/** What the platform's documentation says; live answers win over facts. */
export const facts = {
  pageSize: {
    value: 40,
    unit: 'posts',
    source: 'https://docs.joinmastodon.org/methods/accounts/#statuses',
    readOn: '2026-11-21'
  },
  requests: {
    value: 300,
    unit: 'requests / 5 min per account and IP',
    source: 'https://docs.joinmastodon.org/api/rate-limits/',
    readOn: '2026-11-21'
  },
  tokenLife: { value: null, source: 'https://docs.joinmastodon.org/methods/oauth/', readOn: '2026-11-21' },
  scopes: {
    value: ['read:accounts', 'read:statuses'],
    source: 'https://docs.joinmastodon.org/api/oauth-scopes/',
    readOn: '2026-11-21'
  }
} as const satisfies Record<string, Fact>
