import { randomBytes } from 'node:crypto'
import { uuidv7, type Clock, type EventBus, type Tx } from '../kernel/index.ts'
import { parseEmail } from './email.ts'
import { userCreated, workspaceCreated } from './events.ts'
import type { Passwords } from './passwords.ts'
import type {
  PasswordRecord, SessionRepository, UserRecord, UserRepository, WorkspaceRepository
} from './repository/index.ts'

interface Collaborators {
  users: UserRepository
  workspaces: WorkspaceRepository
  sessionRows: SessionRepository
  passwords: Passwords
  events: EventBus
  tx: Tx
  clock: Clock
}

export interface FirstOperator { email: string, password: string }

const slug = 'platform'
const alreadyThere = new Error('the platform workspace exists')

/** The platform workspace and its owner on an empty store (`identity.md` 4.6). */
export function createOperators ({ users, workspaces, sessionRows, passwords, events, tx, clock }: Collaborators) {
  async function create (text: string): Promise<FirstOperator | null> {
    const now = clock.now()
    const { email, emailKey } = parseEmail(text)
    const { password, record } = await draw(now)
    const user: UserRecord = {
      id: uuidv7(now.getTime()), email, emailKey, displayName: 'Operator', locale: 'en', zone: 'UTC', kind: 'person',
      status: 'active', emailVerifiedAt: null, pv: 1, pvChangedAt: now, createdAt: now
    }
    const workspaceId = uuidv7(now.getTime())
    const within = { workspaceId }
    await tx(async (unit) => {
      // The unique slug lets one of two racing starts win.
      const isFirst = await workspaces.add(
        unit, { id: workspaceId, name: 'Platform', slug, status: 'active', createdAt: now }
      )
      if (!isFirst || !await users.add(unit, user)) throw alreadyThere
      await users.setPassword(unit, user.id, record)
      await workspaces.addMember(unit, {
        id: uuidv7(now.getTime()), workspaceId, userId: user.id, roles: ['owner', 'operator'], joinedAt: now
      })
      await events.emit(unit, userCreated, { userId: user.id, locale: 'en' }, { type: 'user', id: user.id }, within)
      await events.emit(unit, workspaceCreated, { workspaceId, userId: user.id },
        { type: 'workspace', id: workspaceId }, within)
    })
    return { email, password }
  }

  async function draw (now: Date): Promise<{ password: string, record: PasswordRecord }> {
    const password = randomBytes(16).toString('base64url')
    return { password, record: { ...await passwords.hash(password), changedAt: now, isOneTime: true } }
  }

  /** A new password for the operator who never signed in. */
  async function renew (text: string): Promise<FirstOperator | null> {
    const platform = await workspaces.findBySlug(slug)
    const [first] = platform === undefined ? [] : await workspaces.members(platform.id, { limit: 1 })
    if (first === undefined || await sessionRows.isKnown(first.userId)) return null
    const { email, emailKey } = parseEmail(text)
    const { password, record } = await draw(clock.now())
    await tx(async (unit) => {
      await users.changeEmail(unit, first.userId, email, emailKey)
      await users.setPassword(unit, first.userId, record)
    })
    return { email, password }
  }

  return {
    /** Null where there are users already; with `renew` a new password as long as no operator has signed in. */
    async makeFirst (email: string, options: { renew?: boolean } = {}): Promise<FirstOperator | null> {
      if (await users.isEmpty()) {
        try {
          return await create(email)
        } catch (error) {
          if (error !== alreadyThere) throw error
          return null
        }
      }
      return options.renew === true ? await renew(email) : null
    }
  }
}
