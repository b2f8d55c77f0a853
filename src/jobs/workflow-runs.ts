import {
  uuidv7, type AddOptions, type AddedRun, type Clock, type Workflow, type WorkflowNode
} from '../kernel/index.ts'
import type { RunRow } from './run.ts'
import { orderNodes } from './workflow.ts'

/** The rows of a workflow, each after what it needs. Throws `cycle_in_workflow`, `schema_mismatch`. */
export function toWorkflow (
  { nodes, workspaceId }: Workflow, toRun: (node: WorkflowNode, options: AddOptions) => RunRow, clock: Clock
): { id: string, rows: RunRow[], byNode: Record<string, AddedRun> } {
  const id = uuidv7(clock.ms())
  const needsOf = Object.fromEntries(Object.entries(nodes).map(([name, { needs = [] }]) => [name, [...new Set(needs)]]))
  const needed = new Set(Object.values(needsOf).flat())
  const ids: Record<string, string> = {}
  const rows = orderNodes(needsOf).map((name) => {
    const node = nodes[name] as WorkflowNode
    const needs = (needsOf[name] ?? []).map((need) => ids[need] ?? '')
    const { onNeedFailure } = node
    const run = toRun(node, {
      ...node.options,
      ...(workspaceId === undefined ? {} : { workspaceId }),
      needs,
      ...(onNeedFailure === undefined ? {} : { onNeedFailure })
    })
    ids[name] = run._id
    return {
      ...run,
      workflowId: id,
      node: name,
      ...(needs.length > 0 && { state: 'blocked' as const, waiting: needs.length, met: [] }),
      ...(needed.has(name) && { isNeeded: true })
    }
  })
  return {
    id,
    rows,
    byNode: Object.fromEntries(rows.map(({ node, _id, state }) => [node, { id: _id, state, isNew: true }]))
  }
}
