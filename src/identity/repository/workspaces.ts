import type { Db } from 'mongodb'
import type { CursorValues, Session } from '../../kernel/index.ts'

export interface WorkspaceRecord { id: string, name: string, slug: string, status: 'active', createdAt: Date }

export interface MemberRecord {
  id: string
  workspaceId: string
  userId: string
  roles: string[]
  status: 'active'
  joinedAt: Date
}

export type NewMember = Omit<MemberRecord, 'status'>

/** A workspace without a zone lives by UTC. */
type WorkspaceRow = Omit<WorkspaceRecord, 'id'> & { _id: string, zone?: string }
type MemberRow = Omit<MemberRecord, 'id'> & { _id: string }

export type WorkspaceRepository = ReturnType<typeof createWorkspaceRepository>

export function createWorkspaceRepository (db: Db) {
  const workspaces = db.collection<WorkspaceRow>('identity.workspaces')
  const members = db.collection<MemberRow>('identity.members')
  return {
    /** False where the slug is taken; then nothing is written. */
    async add (session: Session, { id, slug, ...workspace }: WorkspaceRecord): Promise<boolean> {
      const { upsertedCount } = await workspaces.updateOne(
        { slug }, { $setOnInsert: { _id: id, ...workspace } }, { session, upsert: true })
      return upsertedCount === 1
    },

    /** Workspaces in ascending id (P: the installation's own work goes through all of them). */
    async page (after: string | undefined, limit: number): Promise<Array<{ id: string, zone: string }>> {
      const beyond = after === undefined ? {} : { _id: { $gt: after } }
      const rows = await workspaces.find(beyond, { projection: { zone: 1 } })
        .sort({ _id: 1 }).limit(limit).toArray()
      return rows.map(({ _id, zone = 'UTC' }) => ({ id: _id, zone }))
    },

    async zoneOf (workspaceId: string): Promise<string | undefined> {
      return (await workspaces.findOne({ _id: workspaceId }, { projection: { zone: 1 } }))?.zone
    },

    async findBySlug (slug: string): Promise<WorkspaceRecord | undefined> {
      const row = await workspaces.findOne({ slug })
      return row === null ? undefined : toWorkspace(row)
    },

    async findMany (workspaceIds: readonly string[]): Promise<WorkspaceRecord[]> {
      return (await workspaces.find({ _id: { $in: [...workspaceIds] } }).toArray()).map(toWorkspace)
    },

    async addMember (session: Session, { id, workspaceId, userId, ...member }: NewMember): Promise<void> {
      await members.updateOne(
        { workspaceId, userId },
        { $setOnInsert: { _id: id, ...member, status: 'active' } },
        { session, upsert: true })
    },

    async member (workspaceId: string, userId: string): Promise<MemberRecord | undefined> {
      const row = await members.findOne({ workspaceId, userId, status: 'active' })
      return row === null ? undefined : toMember(row)
    },

    /** Memberships of one person, the oldest first. */
    async membershipsOf (userId: string): Promise<MemberRecord[]> {
      const rows = await members.find({ userId, status: 'active' }).sort({ joinedAt: 1, _id: 1 }).limit(200).toArray()
      return rows.map(toMember)
    },

    /** Members in the order of joining; one more than `limit`. */
    async members (
      workspaceId: string, { after, limit }: { after?: CursorValues | undefined, limit: number }
    ): Promise<MemberRecord[]> {
      const [joinedMs, id] = after ?? []
      const joinedAt = new Date(Number(joinedMs))
      const beyond = after === undefined
        ? {}
        : { $or: [{ joinedAt: { $gt: joinedAt } }, { joinedAt, _id: { $gt: String(id) } }] }
      const rows = await members.find({ workspaceId, ...beyond })
        .sort({ joinedAt: 1, _id: 1 }).limit(limit + 1).toArray()
      return rows.map(toMember)
    }
  }
}

function toWorkspace ({ _id, ...row }: WorkspaceRow): WorkspaceRecord {
  return { id: _id, ...row }
}

function toMember ({ _id, ...row }: MemberRow): MemberRecord {
  return { id: _id, ...row }
}
