export type SocialService = ReturnType<typeof createSocialService>

export function createSocialService () {
  return {}
}
