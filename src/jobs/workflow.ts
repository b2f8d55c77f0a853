import { JobsError } from './errors.ts'

export const mostNodes = 1000

/**
 * Names of the nodes, each after all that it needs.
 * Throws `cycle_in_workflow` with the circle, `schema_mismatch` for unknown needs and more than 1,000 nodes.
 */
export function orderNodes (needsOf: Readonly<Record<string, readonly string[]>>): string[] {
  const names = Object.keys(needsOf)
  if (names.length === 0 || names.length > mostNodes) {
    throw JobsError.schema_mismatch({ nodes: names.length }, { detail: `A workflow has 1 to ${mostNodes} runs.` })
  }
  for (const name of names) {
    const unknown = needsOf[name]?.find((need) => !Object.hasOwn(needsOf, need))
    if (unknown !== undefined) {
      throw JobsError.schema_mismatch(
        { node: name, need: unknown }, { detail: `${name} needs ${unknown}: no such node.` })
    }
  }
  const ordered: string[] = []
  const done = new Set<string>()
  for (let waiting = names; waiting.length > 0;) {
    const ready = waiting.filter((name) => needsOf[name]?.every((need) => done.has(need)))
    if (ready.length === 0) throw JobsError.cycle_in_workflow({ nodes: circleIn(needsOf, waiting) })
    for (const name of ready) {
      ordered.push(name)
      done.add(name)
    }
    waiting = waiting.filter((name) => !done.has(name))
  }
  return ordered
}

/** One circle among nodes of which each needs another of them. */
function circleIn (needsOf: Readonly<Record<string, readonly string[]>>, stuck: readonly string[]): string[] {
  const left = new Set(stuck)
  const path: string[] = []
  let at = stuck[0] ?? ''
  while (!path.includes(at)) {
    path.push(at)
    at = needsOf[at]?.find((need) => left.has(need)) ?? ''
  }
  return path.slice(path.indexOf(at))
}
