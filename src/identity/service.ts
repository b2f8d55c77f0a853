export interface UserContact {
  id: string
  email: string
  displayName: string
  locale: string
  zone: string
}

/** Verbs of identity for routes and neighbours. */
export interface IdentityService {
  /** People by id, in the order asked for; null for unknown. */
  usersByIds (ids: readonly string[]): Promise<Array<UserContact | null>>
  /** Makes the platform workspace and its owner on a store without users, else null (see `renew`). The password is shown once. */
  makeFirstOperator (email: string, options?: { renew?: boolean }): Promise<{ email: string, password: string } | null>
}
