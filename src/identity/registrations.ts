import { uuidv7, type Clock, type EventBus, type Tx } from '../kernel/index.ts'
import type { Codes } from './codes.ts'
import { parseEmail } from './email.ts'
import { IdentityError } from './errors.ts'
import { codeRequested, userCreated, workspaceCreated } from './events.ts'
import { checkPolicy, type Passwords } from './passwords.ts'
import { presentUser, presentWorkspace } from './present.ts'
import type {
  FlowRepository, RegistrationFlow, UserRecord, UserRepository, WorkspaceRecord, WorkspaceRepository
} from './repository/index.ts'
import type { Flow, NewRegistration } from './schemas.ts'
import type { ClientFacts, Sessions } from './sessions.ts'
import { makeSlug } from './workspaces.ts'

interface Collaborators {
  flows: FlowRepository
  users: UserRepository
  workspaces: WorkspaceRepository
  passwords: Passwords
  codes: Codes
  sessions: Sessions
  events: EventBus
  tx: Tx
  clock: Clock
}

/** What the mail of a flow needs; the code is in the clear only here and in the rendered mail. */
export interface CodeMail {
  to: string
  displayName: string
  locale: string
  /** Null: the address has an account already, and the mail says so. */
  code: string | null
  expiresAt: Date
}

const purpose = 'register'
const flowMs = 24 * 3_600_000
const codeMs = 10 * 60_000
const mostTries = 5
const mostFlowsPerHour = 10
const hourMs = 3_600_000

/** Registration with a mailed code; the account exists only after the proof (`identity.md` 4.6). */
export function createRegistrations (with_: Collaborators) {
  const { flows, users, workspaces, passwords, codes, sessions, events, tx, clock } = with_

  async function takeTry (flowId: string): Promise<RegistrationFlow> {
    const now = clock.now()
    const flow = await flows.takeTry(flowId, now, mostTries)
    if (flow !== undefined) return flow
    const there = await flows.find(flowId)
    if (there === undefined || there.state !== 'started') throw IdentityError.flow_invalid()
    throw there.expiresAt <= now ? IdentityError.flow_expired() : IdentityError.code_wrong()
  }

  async function settle ({ id: flowId, emailKey, input }: RegistrationFlow) {
    const now = clock.now()
    const user: UserRecord = {
      id: uuidv7(now.getTime()),
      email: input.email,
      emailKey,
      displayName: input.displayName,
      locale: input.locale,
      zone: input.zone,
      kind: 'person',
      status: 'active',
      emailVerifiedAt: now,
      pv: 1,
      pvChangedAt: now,
      createdAt: now
    }
    const workspace: WorkspaceRecord = {
      id: uuidv7(now.getTime()),
      name: input.workspaceName,
      slug: makeSlug(input.workspaceName),
      status: 'active',
      createdAt: now
    }
    await tx(async (unit) => {
      // Thrown inside: a flow that lost leaves nothing behind.
      if (!await flows.finish(unit, flowId)) throw IdentityError.flow_invalid()
      if (!await users.add(unit, user)) throw IdentityError.flow_invalid()
      if (input.password !== null) await users.setPassword(unit, user.id, input.password)
      await workspaces.add(unit, workspace)
      await workspaces.addMember(unit, {
        id: uuidv7(now.getTime()), workspaceId: workspace.id, userId: user.id, roles: ['owner'], joinedAt: now
      })
      const within = { workspaceId: workspace.id }
      await events.emit(
        unit, userCreated, { userId: user.id, locale: user.locale }, { type: 'user', id: user.id }, within
      )
      await events.emit(unit, workspaceCreated, { workspaceId: workspace.id, userId: user.id },
        { type: 'workspace', id: workspace.id }, within)
    })
    return { user, workspace }
  }

  return {
    /** The same answer whether or not the address has an account. Throws `weak_password`, `too_many_attempts`. */
    async start (input: NewRegistration): Promise<Flow> {
      const { email, emailKey } = parseEmail(input.email)
      if (input.password !== undefined) checkPolicy(input.password, email)
      const now = clock.now()
      if (await flows.countSince(emailKey, new Date(now.getTime() - hourMs)) >= mostFlowsPerHour) {
        throw IdentityError.too_many_attempts({}, { retryAfterMs: hourMs })
      }
      const known = await users.findByEmail(emailKey)
      const hashed = input.password === undefined ? null : await passwords.hash(input.password)
      const id = uuidv7(now.getTime())
      const flow: RegistrationFlow = {
        id,
        kind: 'register',
        state: 'started',
        emailKey,
        isKnown: known !== undefined,
        code: await codes.make(id, purpose, new Date(now.getTime() + codeMs)),
        tries: 0,
        input: {
          email,
          displayName: input.displayName,
          locale: input.locale ?? 'en',
          zone: input.zone ?? 'UTC',
          workspaceName: input.workspaceName ?? input.displayName,
          password: hashed === null ? null : { ...hashed, changedAt: now, isOneTime: false }
        },
        createdAt: now,
        expiresAt: new Date(now.getTime() + flowMs)
      }
      await tx(async (unit) => {
        await flows.add(unit, flow)
        await events.emit(unit, codeRequested, { flowId: id, purpose }, { type: 'flow', id }, { workspaceId: '' })
      })
      return { flowId: id, expiresAt: flow.expiresAt.toISOString() }
    },

    /** Throws `flow_invalid`, `flow_expired`, `code_wrong`, `store_unavailable`. */
    async verify (flowId: string, code: string, facts: ClientFacts) {
      await sessions.reach()
      const flow = await takeTry(flowId)
      const isRight = codes.isRight(flowId, purpose, code, flow.code) && flow.code.expiresAt > clock.now()
      if (!isRight || flow.isKnown) throw IdentityError.code_wrong()
      const { user, workspace } = await settle(flow)
      const tokens = await sessions.open({
        userId: user.id, workspaceId: workspace.id, pv: user.pv, amr: ['otp'], mustChangePassword: false, facts
      })
      return { user: presentUser(user), workspace: presentWorkspace(workspace, ['owner']), tokens }
    },

    /** Undefined once the flow is over. */
    async mailOf (flowId: string): Promise<CodeMail | undefined> {
      const flow = await flows.find(flowId)
      if (flow === undefined || flow.state !== 'started' || flow.code.expiresAt <= clock.now()) return undefined
      const { input: { email: to, displayName, locale }, code, isKnown } = flow
      return {
        to, displayName, locale, expiresAt: code.expiresAt,
        code: isKnown ? null : await codes.open(flowId, purpose, code.sealed)
      }
    }
  }
}
