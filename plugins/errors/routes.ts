/** The routes of an app by path, so that an unknown method is told from an unknown path. */
export function createRouteTable () {
  const methods = new Map<string, Set<string>>()
  const exact = new Map<string, RegExp>()
  return {
    add (path: string, method: string | string[]): void {
      const known = methods.get(path) ?? new Set<string>()
      for (const one of [method].flat()) known.add(one)
      methods.set(path, known)
      exact.set(path, toPattern(path))
    },

    /** Methods that some route knows for this path. */
    allowed (path: string): string[] {
      const found = new Set<string>()
      for (const [pattern, expression] of exact) {
        if (pattern !== '*' && expression.test(path)) for (const method of methods.get(pattern) ?? []) found.add(method)
      }
      return [...found].sort()
    }
  }
}

function toPattern (path: string): RegExp {
  const source = path.split('/').map((part) => {
    if (part.endsWith('*')) return `${escape(part.slice(0, -1))}.*`
    return part.startsWith(':') ? '[^/]+' : escape(part)
  }).join('/')
  return new RegExp(`^${source}$`)
}

function escape (text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
