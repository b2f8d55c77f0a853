import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { get } from '../../api.ts'
import { html, type Node } from '../../html.ts'
import { count } from '../../format.ts'
import { Button } from '../../parts/button.ts'
import { AsRequest } from '../../parts/request.ts'
import { Empty, Loading, Refused } from '../../parts/state.ts'
import { Series, type Points } from '../../parts/series.ts'
import { problemOf, type Problem } from '../../problem.ts'
import { posts } from '../../stores/posts.ts'
import type { Account } from '../../stores/shapes.ts'

interface Row { day: string, posts: number, favourites?: number, reblogs?: number, replies?: number }

const dayMs = 86_400_000
const window = 399

function dayOf (ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

function pointsOf (rows: readonly Row[], fromMs: number): Points {
  const counts = new Map(rows.map((row) => [row.day, row.posts]))
  const at = Array.from({ length: window }, (_, index) => fromMs + index * dayMs)
  return { at: at.map((ms) => ms / 1000), values: at.map((ms) => counts.get(dayOf(ms)) ?? 0) }
}

/** Posts per day over the year before the newest post, one year at a time. */
export function Trend ({ account }: { account: Account }): Node {
  const newest = posts.get(account.id).items.value[0]?.publishedAt
  const back = useSignal(0)
  const rows = useSignal<Row[] | undefined>(undefined)
  const problem = useSignal<Problem | undefined>(undefined)
  const endMs = newest === undefined ? 0 : Date.parse(newest.slice(0, 10)) + dayMs - back.value * window * dayMs
  const fromMs = endMs - window * dayMs
  const range = `from=${dayOf(fromMs)}&to=${dayOf(endMs)}&zone=UTC`
  const path = `/v1/social/reports/engagement-by-day?accountId=${account.id}&${range}`
  const load = async (): Promise<void> => {
    try {
      rows.value = (await get<{ rows: Row[] }>(path)).rows
      problem.value = undefined
    } catch (error) {
      problem.value = problemOf(error)
    }
  }
  useEffect(() => { if (newest !== undefined) void load() }, [path, account.counts.stored])
  if (newest === undefined) {
    return html`<${Empty} title="Nothing to draw yet"
    text="The days appear once posts were read." />`
  }
  if (problem.value !== undefined) return html`<${Refused} problem=${problem.value} retry=${load} />`
  if (rows.value === undefined) return html`<${Loading} lines=${8} />`
  const known = rows.value
  const sum = (key: 'favourites' | 'reblogs' | 'replies'): string =>
    count(known.reduce((total, row) => total + (row[key] ?? 0), 0))
  return html`<section class="box" aria-label="Posts per day">
    <header><span class="small muted figures">${dayOf(fromMs)} to ${dayOf(endMs - dayMs)}</span><span class="acts">
      <${Button} icon="left" act=${() => { back.value++ }}>Older<//>
      <${Button} icon="right" isDisabled=${back.value === 0} act=${() => { back.value-- }}>Newer<//>
      <${AsRequest} call=${{ method: 'GET', path }} /></span></header>
    <div class="box-body"><${Series} label="Posts per day" unit="posts" isDaily=${true}
      points=${pointsOf(known, fromMs)} />
      <dl class="figures-row">
        <div><dt>Favourites</dt><dd class="figures">${sum('favourites')}</dd></div>
        <div><dt>Reblogs</dt><dd class="figures">${sum('reblogs')}</dd></div>
        <div><dt>Replies</dt><dd class="figures">${sum('replies')}</dd></div>
      </dl></div>
  </section>`
}
