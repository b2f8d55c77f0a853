import { post } from '../api.ts'
import { toast } from '../parts/toast.ts'
import { accounts } from '../stores/accounts.ts'
import type { Account } from '../stores/shapes.ts'

/** Asks for a sync; pages and items then come over the socket. */
export async function syncNow ({ id }: Account): Promise<void> {
  await post(`/v1/social/accounts/${id}/sync`, {})
  accounts.change(id, (account) => ({ ...account, sync: { ...account.sync, pages: 0, items: 0, state: 'running' } }))
  toast('Sync asked for.')
}
