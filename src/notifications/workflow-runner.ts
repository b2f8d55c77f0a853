import { createHmac } from 'node:crypto'
import type { Static } from 'typebox'
import {
  uuidv7, type Clock, type DomainEvent, type JobContext, type JobSender, type KeyRing, type Session
} from '../kernel/index.ts'
import type { createInbox } from './inbox.ts'
import { advanceRun, fanOutTrigger, sendEmail } from './jobs.ts'
import type { createLetters } from './letters.ts'
import type { Message, MessageRepository, Run, Trigger, WorkflowRepository } from './repository/index.ts'
import { alertText, workflowOf, type AlertData, type Step, type Workflow } from './workflows.ts'

interface Collaborators {
  workflows: WorkflowRepository
  messages: MessageRepository
  inbox: ReturnType<typeof createInbox>
  letters: ReturnType<typeof createLetters>
  keyRing: KeyRing
  jobs: JobSender
  clock: Clock
  /** Key of the hashes of addresses. */
  hashKey: Buffer
}

/** What a workflow is started with: one event, its recipients, its data. */
export interface Start {
  recipientKind: Trigger['recipientKind']
  recipients: readonly string[]
  data: Record<string, unknown>
}

/** A step that was decided before its transaction: the rule for the trace and what it writes. */
interface Effect { rule: string, write: (session: Session) => Promise<void> }

/** From an event to items and messages (`notifications.md` 4.1): each part repeatable, each effect once. */
export function createWorkflowRunner (with_: Collaborators) {
  const { workflows, messages, inbox, letters, keyRing, jobs, clock, hashKey } = with_

  async function nextStep (
    session: Session, { workspaceId, id }: Pick<Run, 'workspaceId' | 'id'>, step: number
  ): Promise<void> {
    await jobs.add(session, advanceRun, { workspaceId, runId: id, step }, { key: `${id}:${step}` })
  }

  function inAppEffect (run: Run, { data, recipientKind }: Trigger, { category }: Workflow): Effect {
    if (recipientKind !== 'user') return nothing('no_address')
    const { title, body } = alertText(data as unknown as AlertData)
    return {
      rule: 'workflow_default',
      write: async (session) => {
        const { workspaceId, id: runId, recipientId: userId } = run
        const link = typeof data['link'] === 'string' ? data['link'] : null
        await inbox.add(session, { userId, workspaceId, runId, category, title, body, link })
      }
    }
  }

  async function emailEffect (run: Run, trigger: Trigger, step: number, workflow: Workflow): Promise<Effect> {
    const target = await letters.target(trigger, run.recipientId)
    if ('rule' in target) return nothing(target.rule)
    const now = clock.now()
    const id = uuidv7(now.getTime())
    const { workspaceId, recipientId } = run
    const message: Message = {
      id,
      workspaceId,
      runId: run.id,
      triggerId: trigger.id,
      step,
      workflow: workflow.key,
      channel: 'email',
      recipientKind: trigger.recipientKind,
      recipientId,
      targetHash: createHmac('sha256', hashKey).update(target.address.toLowerCase()).digest('base64url'),
      target: await keyRing.seal(ownerOf(trigger.recipientKind, recipientId), Buffer.from(target.address), targetPlace),
      state: 'queued',
      reason: null,
      deadline: target.deadline,
      createdAt: now,
      updatedAt: now
    }
    return {
      rule: workflow.isCritical ? 'critical' : 'workflow_default',
      write: async (session) => {
        if (!await messages.add(session, message)) return
        const options = target.deadline === null ? {} : { deadlineAt: target.deadline }
        const lane = workflow.isCritical ? 'interactive' : 'default'
        await jobs.add(session, sendEmail, { workspaceId, messageId: id }, { key: id, lane, ...options })
      }
    }
  }

  async function effectOf (name: Step, run: Run, trigger: Trigger, step: number, workflow: Workflow): Promise<Effect> {
    return name === 'inApp' ? inAppEffect(run, trigger, workflow) : await emailEffect(run, trigger, step, workflow)
  }

  return {
    /** One trigger per workflow and event, whoever asks how often. */
    async start (
      session: Session, workflow: Workflow, event: DomainEvent, { recipientKind, recipients, data }: Start
    ): Promise<void> {
      const id = uuidv7(clock.ms())
      const { workspaceId } = event
      const isNew = await workflows.addTrigger(session, {
        id,
        workspaceId,
        workflow: workflow.key,
        workflowVersion: workflow.version,
        eventId: event.id,
        recipientKind,
        recipients: [...new Set(recipients)],
        data,
        createdAt: clock.now()
      })
      if (isNew) await jobs.add(session, fanOutTrigger, { workspaceId, triggerId: id }, { key: id })
    },

    /** One run per recipient, each with its first step. */
    async fanOut (ctx: JobContext<Static<typeof fanOutTrigger['data']>>): Promise<void> {
      const { workspaceId, triggerId } = ctx.run.data
      const trigger = await workflows.trigger(workspaceId, triggerId)
      await ctx.commit(async (session) => {
        if (trigger === undefined) return
        const { workflow, eventId, recipients } = trigger
        const now = clock.now()
        const added = await workflows.addRuns(session, recipients.map((recipientId): Run => ({
          id: uuidv7(now.getTime()), workspaceId, triggerId, workflow, eventId, recipientId,
          step: 0, state: 'running', trace: [], createdAt: now
        })))
        for (const run of added) await nextStep(session, run, 0)
      })
    },

    /** Takes exactly one step of a run; a repeated job finds it taken. */
    async advance (ctx: JobContext<Static<typeof advanceRun['data']>>): Promise<void> {
      const { workspaceId, runId, step } = ctx.run.data
      const run = await workflows.run(workspaceId, runId)
      const trigger = run === undefined ? undefined : await workflows.trigger(workspaceId, run.triggerId)
      if (run === undefined || trigger === undefined) return
      const workflow = workflowOf(run.workflow)
      const name = workflow.steps[step]
      if (name === undefined) return
      const isLast = step === workflow.steps.length - 1
      const { rule, write } = await effectOf(name, run, trigger, step, workflow)
      await ctx.commit(async (session) => {
        const decision = { step, channel: name, rule, at: clock.now() }
        if (!await workflows.takeStep(session, run, step, isLast ? 'done' : 'running', decision)) return
        await write(session)
        if (!isLast) await nextStep(session, run, step + 1)
      })
    }
  }
}

const targetPlace = 'notifications.messages target'

function nothing (rule: string): Effect {
  return { rule, write: async () => {} }
}

function ownerOf (kind: Trigger['recipientKind'], id: string): string {
  return kind === 'user' ? `user:${id}` : 'flows'
}

/** The address of a message in the clear. */
export async function openTarget (keyRing: KeyRing, { recipientKind, recipientId, target }: Message): Promise<string> {
  return (await keyRing.open(ownerOf(recipientKind, recipientId), target, targetPlace)).toString()
}
