import { isOver } from '../kernel/index.ts'
import type { Scope } from './access.ts'
import type { Cancel, RunRow } from './run.ts'
import type { WaitingFilter } from './schemas.ts'

/**
 * A cancel of thousands (`docs/decisions/0012`). What matches and is older than `before` never starts any more, from
 * the moment the order stands; it stands until each of them has ended.
 */
export interface CancelOrder {
  _id: string
  /** Undefined: of all workspaces. */
  scope?: string[]
  filter: WaitingFilter
  /** Ids below this one. */
  before: string
  cancel: Cancel
}

/**
 * Younger ones end before the answer of a cancel: the clocks of two processes, which is the store's, differ by less,
 * and what is added after the answer is of no order.
 */
export const youngMs = 1000

/** The cancel of a run, its own or that of an order that it is of. */
export function cancelOf (
  run: Pick<RunRow, '_id' | 'workspaceId' | 'name' | 'batchId' | 'cause' | 'cancel' | 'state'>,
  orders: readonly CancelOrder[]
): Cancel | undefined {
  if (run.cancel !== undefined || isOver(run.state)) return run.cancel
  return orders.find(({ scope, filter: { name, batchId, causeId }, before }) =>
    run._id < before && isIn(scope, run.workspaceId) && isAs(name, run.name) && isAs(batchId, run.batchId) &&
    isAs(causeId, run.cause?.id))?.cancel
}

const isIn = (scope: Scope, workspaceId: string): boolean => scope === undefined || scope.includes(workspaceId)

const isAs = (asked: string | undefined, is: string | undefined): boolean => asked === undefined || asked === is
