import { AjvCompiler, type BuildCompilerFromPool } from '@fastify/ajv-compiler'

const strictly = {
  coerceTypes: false, useDefaults: true, removeAdditional: false, allErrors: false, verbose: true
} as const
const fromText = { ...strictly, coerceTypes: 'array', allErrors: true } as const

/** Two validators: bodies as they are, never repaired; query, params and headers turned from text into their types. */
export function twoValidators (): BuildCompilerFromPool {
  const pool = AjvCompiler()
  const vocabulary = {
    onCreate: (ajv: { addVocabulary (words: string[]): unknown }) => { ajv.addVocabulary(['sensitive', 'freeform']) }
  }
  return (externalSchemas, options) => {
    const build = (customOptions: object) => pool(externalSchemas, { ...options, ...vocabulary, customOptions })
    const bodies = build(strictly)
    const others = build(fromText)
    return (route) => (route as { httpPart?: string }).httpPart === 'body' ? bodies(route) : others(route)
  }
}
