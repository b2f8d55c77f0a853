import { Type } from 'typebox'
import { defineJob } from '../kernel/index.ts'
import { Id } from '../kernel/schemas.ts'

const closed = { additionalProperties: false }
/** Empty for mails to people who have no account yet. */
const workspaceId = Type.String({ maxLength: 36 })

export const fanOutTrigger = defineJob({
  name: 'notifications.fan-out-trigger', queue: 'fast', data: Type.Object({ workspaceId, triggerId: Id }, closed)
})

export const advanceRun = defineJob({
  name: 'notifications.advance-run',
  queue: 'fast',
  data: Type.Object({ workspaceId, runId: Id, step: Type.Integer({ minimum: 0 }) }, closed)
})

export const sendEmail = defineJob({
  name: 'notifications.send-email',
  queue: 'mail',
  data: Type.Object({ workspaceId, messageId: Id }, closed),
  // All mails wait together for the one server, and as long as mail servers do themselves (RFC 5321, 4.5.4.1).
  target: () => 'smtp',
  policy: { maxAgeMs: 5 * 86_400_000 }
})
