export { createSocialService, type SocialService } from './service.ts'
