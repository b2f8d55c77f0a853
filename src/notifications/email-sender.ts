import type { Static } from 'typebox'
import {
  isDomainError,
  type Clock, type DomainError, type EventBus, type EventDefinition, type JobContext, type KeyRing, type Mail,
  type SendMail, type Session
} from '../kernel/index.ts'
import { NotificationsError } from './errors.ts'
import { messageFailed, messageSent, messageUnknown } from './events.ts'
import type { sendEmail } from './jobs.ts'
import type { createLetters } from './letters.ts'
import type { Attempt, Message, MessageRepository, MessageState, WorkflowRepository } from './repository/index.ts'
import { openTarget } from './workflow-runner.ts'
import { workflowOf } from './workflows.ts'

interface Collaborators {
  workflows: WorkflowRepository
  messages: MessageRepository
  letters: ReturnType<typeof createLetters>
  keyRing: KeyRing
  events: EventBus
  sendMail: SendMail
  clock: Clock
  /** Name of the driver, for the ledger. */
  provider: string
  /** Right side of the Message-ID. */
  mailDomain: string
}

type Context = JobContext<Static<typeof sendEmail['data']>>
interface End {
  attempt?: { n: number, state: Attempt['state'], class: string | null }
  state: MessageState
  reason: string | null
}

const eventOf: Partial<Record<MessageState, EventDefinition<typeof messageSent['data']>>> = {
  sent: messageSent, failed: messageFailed, expired: messageFailed, unknown: messageUnknown
}

/** The send ledger of `notifications.md` 4.6: every call stands there before it is made. */
export function createEmailSender (with_: Collaborators) {
  const { workflows, messages, letters, keyRing, events, sendMail, clock, provider, mailDomain } = with_

  /** Message, attempt and event end together, with the run. */
  async function end (ctx: Context, message: Message, { attempt, state, reason }: End): Promise<void> {
    await ctx.commit(async (session) => {
      const at = clock.now()
      if (attempt !== undefined) await messages.endAttempt(session, message, attempt.n, { ...attempt, at })
      if (!await messages.settle(session, message, { state, reason, at })) return
      await tell(session, message, state, reason)
    })
  }

  async function tell (
    session: Session, { id, workflow, workspaceId }: Message, state: MessageState, reason: string | null
  ) {
    const event = eventOf[state]
    if (event === undefined) return
    await events.emit(
      session, event, { messageId: id, workflow, channel: 'email', reason }, { type: 'message', id }, { workspaceId }
    )
  }

  async function note (
    ctx: Context, message: Message, n: number, state: Attempt['state'], reason: string
  ): Promise<void> {
    await ctx.checkpoint(async (session) => {
      await messages.endAttempt(session, message, n, { state, class: reason, at: clock.now() })
    })
  }

  async function compose (message: Message): Promise<Mail | undefined> {
    const trigger = await workflows.trigger(message.workspaceId, message.triggerId)
    const letter = trigger === undefined ? undefined : await letters.write(message, trigger)
    if (letter === undefined) return undefined
    return { ...letter, to: await openTarget(keyRing, message), messageId: `${message.id}@${mailDomain}` }
  }

  /** The number of this attempt; undefined where the message has ended with the attempt of a start that died. */
  async function nextAttempt (ctx: Context, message: Message): Promise<number | undefined> {
    const last = await messages.lastAttempt(message)
    if (last?.state !== 'sending') return (last?.n ?? 0) + 1
    if (workflowOf(message.workflow).isAtLeastOnce) {
      await note(ctx, message, last.n, 'unknown', 'died')
      return last.n + 1
    }
    await end(
      ctx, message, { attempt: { n: last.n, state: 'unknown', class: 'died' }, state: 'unknown', reason: 'died' }
    )
    return undefined
  }

  async function judge (ctx: Context, message: Message, n: number, error: DomainError): Promise<void> {
    const reason = error.code.slice(error.code.indexOf('.') + 1)
    if (reason === 'ambiguous') return await doubt(ctx, message, n)
    if (error.kind === 'unavailable' || error.kind === 'rate_limited') {
      await note(ctx, message, n, 'failed', reason)
      throw error
    }
    await end(ctx, message, { attempt: { n, state: 'failed', class: reason }, state: 'failed', reason })
  }

  async function doubt (ctx: Context, message: Message, n: number): Promise<void> {
    if (!workflowOf(message.workflow).isAtLeastOnce) {
      await end(
        ctx, message, { attempt: { n, state: 'unknown', class: 'ambiguous' }, state: 'unknown', reason: 'ambiguous' }
      )
      return
    }
    await note(ctx, message, n, 'unknown', 'ambiguous')
    throw NotificationsError.provider_unavailable()
  }

  return async function send (ctx: Context): Promise<void> {
    const { workspaceId, messageId } = ctx.run.data
    const message = await messages.find(workspaceId, messageId)
    if (message === undefined || message.state !== 'queued') return
    const n = await nextAttempt(ctx, message)
    if (n === undefined) return
    const mail = isLate(message, clock) ? undefined : await compose(message)
    if (mail === undefined) return await end(ctx, message, { state: 'expired', reason: 'expired' })
    await ctx.checkpoint(async (session) => await messages.beginAttempt(session, message, n, provider, clock.now()))
    try {
      await sendMail(mail)
    } catch (error) {
      if (isDomainError(error)) return await judge(ctx, message, n, error)
      await note(ctx, message, n, 'failed', 'bug')
      throw error
    }
    await end(ctx, message, { attempt: { n, state: 'sent', class: null }, state: 'sent', reason: null })
  }
}

function isLate ({ deadline }: Message, clock: Clock): boolean {
  return deadline !== null && deadline <= clock.now()
}
