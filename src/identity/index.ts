export { permissions } from './access.ts'
export { IdentityError } from './errors.ts'
export { codeRequested, endSession, sessionOpened, sessionRevoked, userCreated, workspaceCreated } from './events.ts'
export { collections } from './indexes.ts'
export { presentMember } from './present.ts'
export type { CodeMail } from './registrations.ts'
export { createRepositories } from './repository/index.ts'
export {
  CodeSchema, EndedSchema, FlowParams, FlowSchema, JwksSchema, LoginResultSchema, MemberPageSchema, NewLoginSchema,
  NewPasswordSchema, NewRegistrationSchema, NewWorkspaceSchema, RefreshSchema, RegistrationResultSchema,
  SessionListSchema, TokensSchema, UserSchema, WorkspaceChoiceSchema, WorkspaceListSchema, WorkspaceSchema, schemas
} from './schemas.ts'
export { createIdentity, type IdentityService, type Person } from './service.ts'
export type { ClientFacts, TokenPair } from './sessions.ts'
