export { IdentityError } from './errors.ts'
export type { IdentityService } from './service.ts'
