import type { Static, TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { Clean, Clone } from 'typebox/value'
import { isCost, mostCost, type FieldProblem, type JobDefinition } from '../kernel/index.ts'
import { JobsError } from './errors.ts'

const maxBytes = 32 * 1024
const compiled = new WeakMap<TSchema, ReturnType<typeof Compile>>()
const closed = new WeakMap<TSchema, boolean>()

/** Refuses data that is not exactly of its schema, or too large. Throws `schema_mismatch`, `data_too_large`. */
export function checkPayload (name: string, schema: TSchema, data: unknown): void {
  const check = compiledOf(schema)
  if (!check.Check(data)) throw mismatch(name, problemsOf(check.Errors(data)))
  const bad = forbiddenKey(data, '')
  if (bad !== undefined) throw mismatch(name, [problem(bad, 'forbidden_key', 'This name is not allowed.')])
  const bytes = Buffer.byteLength(JSON.stringify(data) ?? '')
  if (bytes > maxBytes) throw JobsError.data_too_large({ name, bytes, maxBytes })
}

/** Refuses what a run must not cost, where its caller says it: turns are shared by it. Throws `schema_mismatch`. */
export function checkCost (name: string, cost = 1): void {
  if (isCost(cost)) return
  throw mismatch(name, [problem('/cost', 'range', `A run costs a whole number from 1 to ${mostCost}.`)])
}

/** The data where it is of its schema. Throws `schema_mismatch`. */
export function checkShape<T extends TSchema> (name: string, schema: T, data: unknown): Static<T> {
  const check = compiledOf(schema)
  if (!check.Check(data)) throw mismatch(name, problemsOf(check.Errors(data)))
  return data as Static<T>
}

/** What a handler gets: lifted to the job's version, unknown members dropped. Throws `jobs.schema_mismatch`. */
export function readPayload (
  job: Pick<JobDefinition, 'name' | 'version' | 'data' | 'upcast'>, version: number, data: unknown
): unknown {
  let lifted: unknown = data
  for (let v = version; v < job.version; v++) {
    const lift = job.upcast?.[v] as ((data: unknown) => unknown) | undefined
    if (lift !== undefined) lifted = lift(lifted)
  }
  const check = compiledOf(job.data)
  // Nothing to drop: what a closed schema lets pass has no unknown members.
  if (isClosed(job.data) && check.Check(lifted)) return lifted
  const cleaned = Clean(job.data, Clone(lifted))
  if (!check.Check(cleaned)) throw mismatch(job.name, problemsOf(check.Errors(cleaned)))
  return cleaned
}

function compiledOf (schema: TSchema): ReturnType<typeof Compile> {
  let check = compiled.get(schema)
  if (check === undefined) {
    check = Compile(schema)
    compiled.set(schema, check)
  }
  return check
}

/** Whether the schema lets no unknown member pass, at any depth. */
function isClosed (schema: TSchema): boolean {
  let is = closed.get(schema)
  if (is === undefined) closed.set(schema, is = isClosedShape(schema as Shape))
  return is
}

interface Shape {
  type?: string
  properties?: Record<string, TSchema>
  patternProperties?: Record<string, TSchema>
  additionalProperties?: unknown
  items?: TSchema
  anyOf?: TSchema[]
  const?: unknown
  enum?: unknown[]
}

function isClosedShape (shape: Shape): boolean {
  if (shape.type === 'object') {
    const members = Object.values({ ...shape.properties, ...shape.patternProperties })
    return shape.additionalProperties === false && members.every(isClosed)
  }
  if (shape.type === 'array') return shape.items !== undefined && !Array.isArray(shape.items) && isClosed(shape.items)
  if (shape.anyOf !== undefined) return shape.anyOf.every(isClosed)
  return shape.type !== undefined || 'const' in shape || 'enum' in shape
}

function mismatch (name: string, errors: FieldProblem[]): Error {
  const detail = errors.slice(0, 3).map(({ pointer, detail }) => `${pointer || '/'} ${detail}`).join('; ')
  return JobsError.schema_mismatch({ name }, { detail: `${name}: ${detail}`, errors })
}

function problemsOf (
  errors: ReadonlyArray<{ instancePath: string, keyword: string, message: string }>
): FieldProblem[] {
  return errors.slice(0, 20).map(({ instancePath, keyword, message }) => problem(instancePath, keyword, message))
}

function problem (pointer: string, code: string, detail: string): FieldProblem {
  return { in: 'body', pointer, code, detail }
}

/** Pointer of a member whose name MongoDB or the prototype chain would read otherwise. */
function forbiddenKey (value: unknown, at: string): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  for (const [name, member] of Object.entries(value)) {
    const pointer = `${at}/${name}`
    if (name === '__proto__' || name === 'constructor' || name.startsWith('$') || name.includes('.')) return pointer
    const inner = forbiddenKey(member, pointer)
    if (inner !== undefined) return inner
  }
  return undefined
}
