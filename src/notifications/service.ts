import type { Static } from 'typebox'
import type { alertFired } from '../analytics/index.ts'
import type { codeRequested, IdentityService } from '../identity/index.ts'
import type {
  Clock, DomainEvent, EventBus, JobContext, JobSender, KeyRing, Live, Mail, SendMail, Tx
} from '../kernel/index.ts'
import { createEmailSender } from './email-sender.ts'
import { createInbox } from './inbox.ts'
import { createLetters } from './letters.ts'
import { presentCapturedMail } from './present.ts'
import type { Repositories } from './repository/index.ts'
import type { CapturedMail } from './schemas.ts'
import type { Templates } from './templates.ts'
import { createWorkflowRunner } from './workflow-runner.ts'
import { alertRaised, verifyEmail, type AlertData } from './workflows.ts'

interface Collaborators {
  repositories: Repositories
  identity: IdentityService
  keyRing: KeyRing
  templates: Templates
  publicUrl: string
  mail: { driver: 'smtp' | 'capture', from: string }
  hashKey: Buffer
  sendMail: SendMail
  events: EventBus
  jobs: JobSender
  live: Live
  tx: Tx
  clock: Clock
}

type Alert = Static<typeof alertFired['data']>

export type NotificationsService = ReturnType<typeof createNotifications>

/** Verbs of notifications for routes and workers. */
export function createNotifications (with_: Collaborators) {
  const {
    repositories, identity, keyRing, templates, publicUrl, mail, hashKey, sendMail, events, jobs, live, tx, clock
  } = with_
  const { capturedMails, inbox: items, messages, workflow: workflows } = repositories
  const inbox = createInbox({ inbox: items, events, live, tx, clock })
  const letters = createLetters({ identity, templates, publicUrl })
  const runner = createWorkflowRunner({ workflows, messages, inbox, letters, keyRing, jobs, clock, hashKey })

  return {
    capturesMails: mail.driver === 'capture',
    inbox,
    fanOut: runner.fanOut,
    advance: runner.advance,
    sendEmail: createEmailSender({
      workflows,
      messages,
      letters,
      keyRing,
      events,
      sendMail,
      clock,
      provider: mail.driver,
      mailDomain: domainOf(mail.from)
    }),

    async startAlert (event: DomainEvent<Alert>, state: AlertData['state'], ctx: JobContext): Promise<void> {
      const { ruleName, event: name, value, threshold, at, link, recipients } = event.data
      const data: AlertData = { state, ruleName, event: name, value, threshold, at, link }
      await ctx.commit(async (session) => {
        await runner.start(session, alertRaised, event, { recipientKind: 'user', recipients, data })
      })
    },

    async startVerifyEmail (event: DomainEvent<Static<typeof codeRequested['data']>>, ctx: JobContext): Promise<void> {
      await ctx.commit(async (session) => {
        await runner.start(
          session, verifyEmail, event, { recipientKind: 'flow', recipients: [event.data.flowId], data: {} }
        )
      })
    },

    async captureMail (captured: Mail): Promise<void> {
      await capturedMails.keep(captured, clock.now())
    },

    async listCapturedMails (to?: string): Promise<CapturedMail[]> {
      return (await capturedMails.list(to)).map(presentCapturedMail)
    }
  }
}

/** The domain of a sender such as `Switchyard <no-reply@example.org>`. */
function domainOf (from: string): string {
  return /@([A-Za-z0-9.-]+)>?\s*$/.exec(from)?.[1] ?? 'switchyard.localhost'
}
