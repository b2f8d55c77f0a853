import { signal } from '@preact/signals'
import { post, send } from '../api.ts'
import { follow, type Pub } from '../live.ts'
import { calmly, createList } from './list.ts'
import type { Alert, AlertQuery } from './shapes.ts'

export interface AlertNews { alertId: string, kind: string, value: number, threshold: number, at: string }

/** Rules with their state, newest first. */
export const alerts = createList<Alert>({ path: '/v1/analytics/alerts', idOf: ({ id }) => id })

/** What the rules did since the page was opened. */
export const alertNews = signal<AlertNews[]>([])

const reload = calmly(async () => { await alerts.load({ keeps: true }) }, 1000)

export function openAlerts (workspaceId: string): () => void {
  return follow(`analytics.alerts:${workspaceId}`, {
    getState: async () => await alerts.load({ keeps: true }),
    onPub ({ k, d }: Pub) {
      alertNews.value = [...alertNews.peek().slice(-99), { ...d, kind: k } as unknown as AlertNews]
      reload()
    }
  })
}

export async function addAlert (rule: {
  name: string, query: AlertQuery, op: Alert['op'], threshold: number, forMs: number, everyMs: number
}): Promise<void> {
  const alert = await post<Alert>('/v1/analytics/alerts', rule)
  alerts.put([alert])
}

export async function removeAlert (id: string): Promise<void> {
  await send({ method: 'DELETE', path: `/v1/analytics/alerts/${id}` })
  alerts.drop(id)
}
