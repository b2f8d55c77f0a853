import { signal } from '@preact/signals'
import { get } from '../api.ts'
import { toast } from '../parts/toast.ts'
import { problemOf } from '../problem.ts'
import { calmly, type Page } from './list.ts'
import type { Asset } from './shapes.ts'

/** Media of posts that are in sight, by post. */
export const assetsOfPosts = signal<ReadonlyMap<string, Asset[]>>(new Map())

const final: readonly string[] = ['ready', 'rejected', 'gone', 'skipped']
const asked = new Map<string, string>()
let isTold = false

function isOpen (postId: string): boolean {
  const known = assetsOfPosts.peek().get(postId)
  return known === undefined || known.some(({ state }) => !final.includes(state))
}

const read = calmly(async () => {
  const open = [...asked].filter(([postId]) => isOpen(postId)).slice(-200)
  const byAccount = Map.groupBy(open, ([, accountId]) => accountId)
  for (const [accountId, entries] of byAccount) await readOf(accountId, entries.map(([postId]) => postId))
  if ([...asked.keys()].some((postId) => assetsOfPosts.peek().has(postId) && isOpen(postId))) read()
}, 2500)

async function readOf (accountId: string, postIds: readonly string[]): Promise<void> {
  for (let from = 0; from < postIds.length; from += 50) {
    const ids = postIds.slice(from, from + 50)
    const query = ids.map((id) => `postId=${id}`).join('&')
    try {
      const { data } = await get<Page<Asset>>(`/v1/social/accounts/${accountId}/assets?limit=100&${query}`)
      const found = new Map(assetsOfPosts.peek())
      for (const id of ids) found.set(id, data.filter(({ postId }) => postId === id))
      assetsOfPosts.value = found
      isTold = false
    } catch (error) {
      // The posts stand without their pictures; one sentence says why.
      if (!isTold) toast(`Pictures could not be read: ${problemOf(error).title}`, 'bad')
      isTold = true
      return
    }
  }
}

/** Asks for the media of posts; what is still on its way is asked again until it is there. */
export function wantAssets (list: ReadonlyArray<{ id: string, accountId: string }>): void {
  let isNew = false
  for (const { id, accountId } of list) {
    if (asked.has(id)) continue
    asked.set(id, accountId)
    isNew = true
  }
  if (isNew) read()
}
