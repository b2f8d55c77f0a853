import type { MemberRecord, SessionRecord, UserRecord, WorkspaceRecord } from './repository/index.ts'
import type { Member, SessionShape, User, Workspace } from './schemas.ts'
import { endsAtMs } from './sessions.ts'

export function presentUser ({ id, email, displayName, locale, zone, emailVerifiedAt, createdAt }: UserRecord): User {
  return {
    id, email, displayName, locale, zone,
    emailVerifiedAt: emailVerifiedAt?.toISOString() ?? null,
    createdAt: createdAt.toISOString()
  }
}

export function presentWorkspace ({ id, name, slug, createdAt }: WorkspaceRecord, roles: string[]): Workspace {
  return { id, name, slug, roles, createdAt: createdAt.toISOString() }
}

export function presentMember ({ userId, roles, joinedAt }: MemberRecord, user: UserRecord | undefined): Member {
  return { userId, displayName: user?.displayName ?? '', roles, joinedAt: joinedAt.toISOString() }
}

export function presentSession (session: SessionRecord, currentId: string | null): SessionShape {
  const { id, client, deviceName, ip, createdAt, lastSeenAt, amr } = session
  return {
    id,
    current: id === currentId,
    client, deviceName, ip,
    createdAt: createdAt.toISOString(),
    lastSeenAt: lastSeenAt.toISOString(),
    expiresAt: new Date(endsAtMs(session)).toISOString(),
    amr
  }
}
