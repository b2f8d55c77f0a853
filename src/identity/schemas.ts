import { Type, type Static } from 'typebox'
import { At, Id, Nullable, OneOf, pageOf, ref } from '../kernel/schemas.ts'

const closed = { additionalProperties: false }
const Email = Type.String({ minLength: 3, maxLength: 254 })
const Password = Type.String({ minLength: 1, maxLength: 1024 })
const Locale = Type.String({ pattern: '^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$', maxLength: 35 })
const Zone = Type.String({ pattern: '^[A-Za-z0-9_+/-]{1,64}$', maxLength: 64 })
const ClientKind = OneOf(['web', 'native'], { description: 'web: the refresh token comes as a cookie' })
const DeviceName = Type.String({ minLength: 1, maxLength: 80 })

export const UserSchema = Type.Object({
  id: Id,
  email: Email,
  displayName: Type.String({ maxLength: 80 }),
  locale: Locale,
  zone: Zone,
  emailVerifiedAt: Nullable(At),
  createdAt: At
}, { $id: 'User', ...closed })
export type User = Static<typeof UserSchema>

export const WorkspaceSchema = Type.Object({
  id: Id,
  name: Type.String({ maxLength: 80 }),
  slug: Type.String({ maxLength: 64 }),
  roles: Type.Array(Type.String({ maxLength: 32 }), { maxItems: 16, description: 'Roles of the caller' }),
  createdAt: At
}, { $id: 'Workspace', ...closed })
export type Workspace = Static<typeof WorkspaceSchema>

export const WorkspaceListSchema = Type.Object({
  data: Type.Array(ref(WorkspaceSchema), { maxItems: 200 })
}, { $id: 'WorkspaceList', ...closed })

export const NewWorkspaceSchema = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 80 })
}, { $id: 'NewWorkspace', ...closed })

export const MemberSchema = Type.Object({
  userId: Id,
  displayName: Type.String({ maxLength: 80 }),
  roles: Type.Array(Type.String({ maxLength: 32 }), { maxItems: 16 }),
  joinedAt: At
}, { $id: 'Member', ...closed })
export type Member = Static<typeof MemberSchema>
export const MemberPageSchema = pageOf(MemberSchema, 'MemberPage')

const tokens = {
  accessToken: Type.String({ maxLength: 4096 }),
  expiresInS: Type.Integer(),
  refreshToken: Type.Optional(Type.String({ maxLength: 200, description: 'Only for native clients' }))
}
export const TokensSchema = Type.Object(tokens, { $id: 'Tokens', ...closed })
export type Tokens = Static<typeof TokensSchema>

export const LoginResultSchema = Type.Object({ user: ref(UserSchema), ...tokens }, { $id: 'LoginResult', ...closed })
export const RegistrationResultSchema = Type.Object(
  { user: ref(UserSchema), workspace: ref(WorkspaceSchema), ...tokens }, { $id: 'RegistrationResult', ...closed })

export const NewRegistrationSchema = Type.Object({
  email: Email,
  password: Type.Optional(Password),
  displayName: Type.String({ minLength: 1, maxLength: 80 }),
  locale: Type.Optional(Locale),
  zone: Type.Optional(Zone),
  workspaceName: Type.Optional(Type.String({ minLength: 1, maxLength: 80 }))
}, { $id: 'NewRegistration', ...closed })
export type NewRegistration = Static<typeof NewRegistrationSchema>

export const FlowSchema = Type.Object({ flowId: Id, expiresAt: At }, { $id: 'Flow', ...closed })
export type Flow = Static<typeof FlowSchema>

export const FlowParams = Type.Object({ flowId: Id }, { $id: 'FlowParams', ...closed })

export const CodeSchema = Type.Object({
  code: Type.String({ pattern: '^[0-9]{6}$', maxLength: 6 }),
  client: Type.Optional(ClientKind),
  deviceName: Type.Optional(DeviceName)
}, { $id: 'Code', ...closed })
export type Code = Static<typeof CodeSchema>

export const NewLoginSchema = Type.Object({
  email: Email, password: Password, client: ClientKind, deviceName: Type.Optional(DeviceName)
}, { $id: 'NewLogin', ...closed })
export type NewLogin = Static<typeof NewLoginSchema>

export const RefreshSchema = Type.Object({
  refreshToken: Type.Optional(Type.String({ maxLength: 200 }))
}, { $id: 'Refresh', ...closed })

export const NewPasswordSchema = Type.Object({
  newPassword: Password, keepOthers: Type.Optional(Type.Boolean({ default: false }))
}, { $id: 'NewPassword', ...closed })

export const WorkspaceChoiceSchema = Type.Object({ workspaceId: Id }, { $id: 'WorkspaceChoice', ...closed })

export const SessionSchema = Type.Object({
  id: Id,
  current: Type.Boolean(),
  client: ClientKind,
  deviceName: Nullable(DeviceName),
  ip: Nullable(Type.String({ maxLength: 45 })),
  createdAt: At,
  lastSeenAt: At,
  expiresAt: At,
  amr: Type.Array(Type.String({ maxLength: 32 }), { maxItems: 8 })
}, { $id: 'Session', ...closed })
export type SessionShape = Static<typeof SessionSchema>

export const SessionListSchema = Type.Object({
  data: Type.Array(ref(SessionSchema), { maxItems: 200 })
}, { $id: 'SessionList', ...closed })

export const EndedSchema = Type.Object({ ended: Type.Integer() }, { $id: 'EndedSessions', ...closed })

export const JwksSchema = Type.Object({
  keys: Type.Array(Type.Object({
    kty: Type.String({ maxLength: 8 }),
    crv: Type.String({ maxLength: 16 }),
    x: Type.String({ maxLength: 64 }),
    kid: Type.String({ maxLength: 64 }),
    alg: Type.String({ maxLength: 16 }),
    use: Type.String({ maxLength: 8 })
  }, closed), { maxItems: 16 })
}, { $id: 'Jwks', ...closed })

export const schemas = [
  UserSchema, WorkspaceSchema, WorkspaceListSchema, NewWorkspaceSchema, MemberSchema, MemberPageSchema, TokensSchema,
  LoginResultSchema, RegistrationResultSchema, NewRegistrationSchema, FlowSchema, FlowParams, CodeSchema,
  NewLoginSchema, RefreshSchema, NewPasswordSchema, WorkspaceChoiceSchema, SessionSchema, SessionListSchema,
  EndedSchema, JwksSchema
]
