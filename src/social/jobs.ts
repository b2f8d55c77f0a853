import { Type } from 'typebox'
import { defineJob } from '../kernel/index.ts'
import { Id, OneOf } from '../kernel/schemas.ts'

const closed = { additionalProperties: false }

export const syncAccount = defineJob({
  name: 'social.sync-account',
  queue: 'fast',
  data: Type.Object({
    workspaceId: Id,
    accountId: Id,
    reason: OneOf(['asked', 'rhythm', 'handover']),
    isFull: Type.Optional(Type.Boolean())
  }, closed),
  policy: { timeoutMs: 120_000, attempts: 12, backoff: 'net' },
  serial: ({ accountId }) => `sync:${accountId}`
})

export const probeAccount = defineJob({
  name: 'social.probe-account',
  queue: 'fast',
  data: Type.Object({ workspaceId: Id, accountId: Id, generation: Type.Integer({ minimum: 1 }) }, closed),
  policy: { timeoutMs: 60_000, attempts: 12, backoff: 'net' },
  serial: ({ accountId }) => `secret:${accountId}`
})

export const disconnectAccount = defineJob({
  name: 'social.disconnect-account',
  queue: 'fast',
  data: Type.Object({ workspaceId: Id, accountId: Id, generation: Type.Integer({ minimum: 1 }) }, closed),
  policy: { timeoutMs: 60_000, attempts: 12, backoff: 'net' },
  serial: ({ accountId }) => `secret:${accountId}`
})

export const fetchAsset = defineJob({
  name: 'social.fetch-asset',
  queue: 'fast',
  data: Type.Object({
    workspaceId: Id,
    assetId: Id,
    lane: OneOf(['interactive', 'bulk']),
    /** The platform is asked for a fresh address first. */
    isReread: Type.Optional(Type.Boolean())
  }, closed),
  policy: { timeoutMs: 60_000, attempts: 12, backoff: 'net' }
})

export const jobs = [syncAccount, probeAccount, disconnectAccount, fetchAsset]
