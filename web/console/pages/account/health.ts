import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { get } from '../../api.ts'
import { html, type Node } from '../../html.ts'
import { Button } from '../../parts/button.ts'
import { Refused } from '../../parts/state.ts'
import { Status } from '../../parts/status.ts'
import { Story } from '../../parts/story.ts'
import { Time } from '../../parts/time.ts'
import { problemOf, type Problem } from '../../problem.ts'
import { count, now } from '../../format.ts'
import type { Account, AccountHealth } from '../../stores/shapes.ts'
import { openConnect } from '../connect.ts'
import { healthOf } from '../words.ts'

/** What we may still do with the account, what showed it, and what to do about it. */
export function HealthBox ({ account }: { account: Account }): Node {
  const detail = useSignal<AccountHealth | undefined>(undefined)
  const problem = useSignal<Problem | undefined>(undefined)
  const load = async (): Promise<void> => {
    try {
      detail.value = await get<AccountHealth>(`/v1/social/accounts/${account.id}/health`)
      problem.value = undefined
    } catch (error) {
      problem.value = problemOf(error)
    }
  }
  useEffect(() => { void load() }, [account.id, account.health.since, account.health.state])
  const evidence = account.health.evidence.map(({ at, sentence, code, httpStatus, step, source }) => ({
    at,
    what: sentence,
    tone: 'warn' as const,
    by: source,
    why: [step, httpStatus, code].filter((part) => part !== null).join(' · ')
  }))
  const fix = detail.value?.fix
  return html`<section class="box" aria-labelledby="health-title">
    <header><h2 id="health-title">Health</h2><span class="acts"><${Status} ...${healthOf(account)} /></span></header>
    <div class="box-body">
      ${problem.value !== undefined && html`<${Refused} problem=${problem.value} retry=${load} />`}
      ${fix != null && html`<div class="fix"><p>${fix.text}</p><${Button} kind="primary"
        act=${() => { openConnect(account) }}>Sign in again<//></div>`}
      ${evidence.length === 0
        ? html`<p class="muted">Every call went through; there is nothing to do.</p>`
        : html`<${Story} label="What showed it" items=${evidence} />`}
      ${account.limits.length > 0 && html`<dl
        class="facts small">${account.limits.map(({ key, limit, remaining, resetAt }) => html`
        <dt key=${key}>Calls left (${key})</dt><dd
          class="figures">${resetAt === null || Date.parse(resetAt) > now.value
            ? html`${count(remaining)} of ${count(limit)}, all again <${Time} at=${resetAt} />`
            : html`all ${count(limit)} again`}</dd>`)}</dl>`}
    </div>
  </section>`
}
