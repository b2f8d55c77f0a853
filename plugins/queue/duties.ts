import type { FastifyInstance } from 'fastify'
import { compareVersions } from '../../src/jobs/index.ts'
import type { WorkersView } from './workers-view.ts'

/** Something small that the keeper looks at again and again; it fails alone. */
export type Duty = () => Promise<void>

/** Rules that replay letters, and subscribers that older code does not know. */
export function createDuties (app: FastifyInstance, view: WorkersView): Duty[] {
  const duties: Record<string, Duty> = {
    async rules () {
      const [oldest] = view.codeVersions().toSorted(compareVersions)
      await app.letterRules.applyAll(oldest, app.log)
    },
    async subscribers () { await app.subscriberDuty.mend() }
  }
  return Object.entries(duties).map(([duty, work]) => async () => {
    try {
      await work()
    } catch (err) {
      app.log.warn({ err, duty }, 'a duty of the keeper failed')
    }
  })
}
