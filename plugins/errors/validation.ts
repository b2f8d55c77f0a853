import type { FastifySchemaValidationError } from 'fastify'
import type { FieldProblem } from '../../src/kernel/index.ts'
import { didYouMean } from './nearest.ts'

const places: Record<string, FieldProblem['in']> = {
  body: 'body', querystring: 'query', params: 'params', headers: 'headers'
}

const codes: Record<string, string> = {
  required: 'missing',
  additionalProperties: 'unknown_field',
  type: 'wrong_type',
  maxLength: 'too_long',
  minLength: 'too_short',
  maxItems: 'too_many',
  minItems: 'too_few',
  uniqueItems: 'not_unique',
  maximum: 'too_large',
  exclusiveMaximum: 'too_large',
  minimum: 'too_small',
  exclusiveMinimum: 'too_small',
  pattern: 'wrong_form',
  format: 'wrong_form',
  enum: 'not_allowed',
  const: 'not_allowed'
}

/** What the validator refused, place by place; at most 20, never a value of the input. */
export function fieldProblems (errors: readonly FastifySchemaValidationError[], context: string): FieldProblem[] {
  const place = places[context] ?? 'body'
  const told = errors.filter(({ keyword }) => keyword !== 'anyOf' && keyword !== 'oneOf' && keyword !== 'if')
  return (told.length > 0 ? told : errors).slice(0, 20).map((error) => toProblem(error, place))
}

function toProblem (error: FastifySchemaValidationError, place: FieldProblem['in']): FieldProblem {
  const { instancePath, keyword, params, message = 'is not accepted' } = error
  const code = codes[keyword] ?? 'not_allowed'
  if (keyword === 'required') {
    return { in: place, pointer: join(instancePath, params['missingProperty']), code, detail: 'must be there' }
  }
  if (keyword === 'additionalProperties') {
    const name = String(params['additionalProperty'])
    return { in: place, pointer: join(instancePath, name), code, detail: `is not known here.${meant(name, error)}` }
  }
  const allowed = keyword === 'enum' ? `: ${list(params['allowedValues'])}` : ''
  return { in: place, pointer: instancePath.slice(0, 512), code, detail: `${message}${allowed}`.slice(0, 500) }
}

function meant (name: string, error: FastifySchemaValidationError): string {
  const { parentSchema } = error as { parentSchema?: { properties?: object } }
  return didYouMean(name, Object.keys(parentSchema?.properties ?? {}))
}

function join (path: string, name: unknown): string {
  return `${path}/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`.slice(0, 512)
}

function list (values: unknown): string {
  return Array.isArray(values) ? values.join(', ') : ''
}
