import { randomBytes } from 'node:crypto'
import { uuidv7, type Actor, type Clock, type CursorValues, type EventBus, type Tx } from '../kernel/index.ts'
import { IdentityError } from './errors.ts'
import { workspaceCreated } from './events.ts'
import { presentWorkspace } from './present.ts'
import type {
  MemberRecord, UserRecord, UserRepository, WorkspaceRecord, WorkspaceRepository
} from './repository/index.ts'
import type { Workspace } from './schemas.ts'

interface Collaborators {
  users: UserRepository
  workspaces: WorkspaceRepository
  events: EventBus
  tx: Tx
  clock: Clock
}

/** A readable, unique name: the words of the workspace and 40 random bits. */
export function makeSlug (name: string): string {
  const words = name.normalize('NFKD').toLowerCase().replaceAll(/[^a-z0-9]+/g, '-').replaceAll(/^-+|-+$/g, '')
  return `${words.slice(0, 40) || 'workspace'}-${randomBytes(5).toString('hex')}`
}

export function createWorkspaces ({ users, workspaces, events, tx, clock }: Collaborators) {
  return {
    /** Workspaces of the caller with their roles there, the oldest membership first. */
    async list (actor: Actor): Promise<Workspace[]> {
      const memberships = await workspaces.membershipsOf(personOf(actor))
      const rows = new Map((await workspaces.findMany(memberships.map(({ workspaceId }) => workspaceId)))
        .map((row) => [row.id, row]))
      return memberships.flatMap(({ workspaceId, roles }) => {
        const row = rows.get(workspaceId)
        return row === undefined ? [] : [presentWorkspace(row, roles)]
      })
    },

    async create (actor: Actor, name: string): Promise<Workspace> {
      const userId = personOf(actor)
      const now = clock.now()
      const workspace: WorkspaceRecord = {
        id: uuidv7(now.getTime()), name, slug: makeSlug(name), status: 'active', createdAt: now
      }
      await tx(async (unit) => {
        await workspaces.add(unit, workspace)
        await workspaces.addMember(unit, {
          id: uuidv7(now.getTime()), workspaceId: workspace.id, userId, roles: ['owner'], joinedAt: now
        })
        await events.emit(unit, workspaceCreated, { workspaceId: workspace.id, userId },
          { type: 'workspace', id: workspace.id }, { workspaceId: workspace.id })
      })
      return presentWorkspace(workspace, ['owner'])
    },

    /** The membership of the caller. Throws `workspace_not_found`: a foreign one does not exist. */
    async membership (actor: Actor, workspaceId: string): Promise<MemberRecord> {
      const member = await workspaces.member(workspaceId, personOf(actor))
      if (member === undefined) throw IdentityError.workspace_not_found({ id: workspaceId })
      return member
    },

    /** Members of the caller's workspace; one more than `limit`. */
    async members (
      actor: Actor, page: { after?: CursorValues | undefined, limit: number }
    ): Promise<Array<{ member: MemberRecord, user: UserRecord | undefined }>> {
      const rows = await workspaces.members(actor.workspaceId, page)
      const people = new Map((await users.findMany(rows.map(({ userId }) => userId))).map((user) => [user.id, user]))
      return rows.map((member) => ({ member, user: people.get(member.userId) }))
    }
  }
}

/** Throws where the caller is nobody: routes of the own account admit sessions and keys only. */
export function personOf ({ userId }: Actor): string {
  if (userId === null) throw IdentityError.permission_denied()
  return userId
}
