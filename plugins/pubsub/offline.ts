import type { Bus } from '../../src/kernel/index.ts'
import type { Link } from './link.ts'

const nothing = (): void => undefined

/** The shapes without a network: documents are made of them. */
export const offlineLink: Link = {
  listen: async () => { await Promise.resolve() },
  leave: nothing,
  onRestored: nothing,
  isUp: () => true,
  rebuild: nothing,
  close: nothing
}

export const offlineBus: Bus = { send: nothing, on: () => nothing }
