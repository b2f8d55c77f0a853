import { effect } from '@preact/signals'
import { follow, type Pub } from '../live.ts'
import { createList } from './list.ts'
import { gather } from './shared.ts'
import type { Account } from './shapes.ts'

const most = 30

/** The tracked accounts of the workspace, with health and sync as they move. */
export const accounts = createList<Account>({ path: '/v1/social/accounts', idOf: ({ id }) => id, pageSize: 100 })

const keys: readonly string[] = ['health', 'profile', 'sync', 'counts', 'limits']

const apply = gather<Partial<Account>>((changes) => {
  accounts.patch((account) => {
    const found = keys.flatMap((key) => {
      const value = changes.get(`${account.id} ${key}`)
      return value === undefined ? [] : [value]
    })
    return found.length === 0 ? account : Object.assign({ ...account }, ...found) as Account
  })
})

function onPub (id: string, { key, d }: Pub): void {
  if (key === undefined || !keys.includes(key)) return
  apply(`${id} ${key}`, { [key]: d } as Partial<Account>)
  // Times of the next and the last sync stand on the account alone.
  if (key === 'sync' && d['state'] !== 'running') void accounts.load({ keeps: true })
}

/** Reads the accounts and follows each; answers how to stop. */
export function openAccounts (): () => void {
  const stops = new Map<string, () => void>()
  void accounts.load()
  const end = effect(() => {
    for (const { id } of accounts.items.value.slice(0, most)) {
      if (stops.has(id)) continue
      stops.set(id, follow(`social.account:${id}`, { onPub: (pub) => { onPub(id, pub) } }))
    }
  })
  return () => {
    end()
    for (const stop of stops.values()) stop()
  }
}

export function accountOf (id: string): Account | undefined {
  return accounts.items.value.find((account) => account.id === id)
}
