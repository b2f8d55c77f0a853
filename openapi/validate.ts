import { createConfig, lintFromString } from '@redocly/openapi-core'

/** What is wrong with an OpenAPI document, a sentence each; empty where it is valid. */
export async function openapiProblems (text: string): Promise<string[]> {
  const config = await createConfig(
    { rules: { struct: 'error', 'no-unresolved-refs': 'error', 'operation-operationId-unique': 'error' } }
  )
  const found = await lintFromString({ source: text, absoluteRef: 'openapi.json', config })
  return found.filter(({ severity }) => severity === 'error')
    .map(({ message, location }) => `${location[0]?.pointer ?? '#/'}: ${message}`)
}

type Json = Record<string, unknown>

/** The same for our AsyncAPI document: every reference leads somewhere. */
export function asyncapiProblems (document: Json): string[] {
  return references(document).filter((reference) => resolve(document, reference) === undefined)
    .map((reference) => `${reference} leads nowhere`)
}

function references (value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  const own = typeof (value as Json)['$ref'] === 'string' ? [(value as Json)['$ref'] as string] : []
  return [...own, ...Object.values(value).flatMap(references)]
}

function resolve (document: Json, reference: string): unknown {
  const parts = reference.replace(/^#\//, '').split('/')
  return parts.reduce<unknown>((place, part) => (place as Json | undefined)?.[part], document)
}
