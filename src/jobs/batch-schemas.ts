import { Type, type Static } from 'typebox'
import { lanes, queues } from '../kernel/index.ts'
import { At, Id, OneOf } from '../kernel/schemas.ts'

const closed = { additionalProperties: false } as const
const Word = Type.String({ maxLength: 128 })
const Count = Type.Integer({ minimum: 0 })
const states = [
  'blocked', 'pending', 'published', 'running', 'done', 'dead', 'cancelled', 'expired', 'skipped'
] as const

const Counts = Type.Object(
  Object.fromEntries(states.map((state) => [state, Type.Optional(Count)])) as Record<
    typeof states[number], ReturnType<typeof Type.Optional<typeof Count>>>, closed)

export const BatchSchema = Type.Object({
  id: Id,
  workspaceId: Type.String({ maxLength: 64 }),
  name: Word,
  state: OneOf(['open', 'complete']),
  isSealed: Type.Boolean({ description: 'No further page comes' }),
  pages: Count,
  counts: Counts,
  countedAt: At,
  stuck: Type.Integer({ minimum: 0, description: 'Blocked runs none of whose needs may still end' }),
  called: Type.Array(OneOf(['complete', 'success', 'death']), { maxItems: 3 }),
  createdAt: At,
  completedAt: Type.Optional(At)
}, { $id: 'Batch', ...closed, description: 'Many runs with one end' })
export type BatchOut = Static<typeof BatchSchema>

export const BatchCancelSchema = Type.Object({
  reason: Type.String({ minLength: 1, maxLength: 200 })
}, { $id: 'CancelBatch', ...closed })

const Node = Type.Object({
  node: Word,
  runId: Id,
  name: Word,
  queue: OneOf(queues),
  lane: OneOf(lanes),
  state: OneOf(states),
  needs: Type.Array(Word, { maxItems: 1000, description: 'Names of nodes' }),
  onNeedFailure: Type.Optional(OneOf(['fail', 'continue', 'skip'])),
  attempt: Count,
  startedAt: Type.Optional(At),
  endedAt: Type.Optional(At),
  error: Type.Optional(Type.Object({
    class: Word, code: Word, message: Type.String({ maxLength: 500 })
  }, closed))
}, closed)

export const WorkflowSchema = Type.Object({
  id: Id,
  workspaceId: Type.String({ maxLength: 64 }),
  counts: Counts,
  nodes: Type.Array(Node, { maxItems: 1000 })
}, { $id: 'Workflow', ...closed, description: 'Runs that need each other' })
export type WorkflowOut = Static<typeof WorkflowSchema>

export const batchSchemas = [BatchSchema, BatchCancelSchema, WorkflowSchema]
