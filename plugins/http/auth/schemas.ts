type Json = Record<string, unknown>

/** Places of a request schema without a bound: a string's length, an array's, an object's members. */
export function openPlaces (schema: unknown, place: string): string[] {
  if (typeof schema !== 'object' || schema === null) return []
  const one = schema as Json
  return [...openHere(one, place), ...children(one, place).flatMap(([path, child]) => openPlaces(child, path))]
}

function openHere (schema: Json, place: string): string[] {
  const { type, maxLength, maxItems, properties, additionalProperties, enum: words, const: word } = schema
  if (type === 'string' && maxLength === undefined && words === undefined && word === undefined) {
    return [`has a string without maxLength at ${place}.`]
  }
  if (type === 'array' && maxItems === undefined) return [`has an array without maxItems at ${place}.`]
  const isOpen = type === 'object' && properties !== undefined && additionalProperties !== false
  return isOpen ? [`has an object without additionalProperties: false at ${place}.`] : []
}

function children (schema: Json, place: string): Array<[string, unknown]> {
  const named = Object.entries((schema['properties'] ?? {}) as Json)
  const listed = ['anyOf', 'oneOf', 'allOf'].flatMap((key) => (schema[key] ?? []) as unknown[])
  return [
    ...named.map(([key, child]): [string, unknown] => [`${place}/${key}`, child]),
    ...listed.map((child): [string, unknown] => [place, child]),
    [`${place}/*`, schema['items']],
    [`${place}/*`, schema['additionalProperties']]
  ]
}
