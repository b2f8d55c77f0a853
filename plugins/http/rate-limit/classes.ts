import type { RateClass } from '../../../src/kernel/index.ts'
import { createBuckets, type Buckets, type Policy } from './buckets.ts'

interface Numbers { burst: number, perSecond: number, by: 'principal' | 'address' }

/** `conventions.md` 4.6 for principals, `identity.md` 4.8 and 4.13 for addresses; null: only the flood limit. */
const numbers: Record<RateClass, Numbers | null> = {
  read: { burst: 300, perSecond: 30, by: 'principal' },
  list: { burst: 100, perSecond: 10, by: 'principal' },
  write: { burst: 60, perSecond: 6, by: 'principal' },
  search: { burst: 30, perSecond: 3, by: 'principal' },
  auth: { burst: 30, perSecond: 0.1, by: 'address' },
  mail: { burst: 30, perSecond: 0.5, by: 'address' },
  refresh: { burst: 600, perSecond: 10, by: 'address' },
  media: null,
  free: null
}

const workspaceNumbers = { burst: 3000, perSecond: 500 }

export interface ClassPolicy extends Policy {
  by: 'principal' | 'address'
  /** `RateLimit-Policy` alone and with the workspace's bucket. */
  header: string
  headerWithWorkspace: string
  /** Seconds until one more call is allowed. */
  waitS: number
  buckets: Buckets
}

export type WorkspacePolicy = Policy & { buckets: Buckets }

/** The buckets of every class, scaled. */
export function policies (scale: number): {
  classes: Record<RateClass, ClassPolicy | null>, workspace: WorkspacePolicy
} {
  const workspace = scaled('workspace', workspaceNumbers, scale)
  const classes = Object.entries(numbers).map(([name, one]) => {
    if (one === null) return [name, null]
    const policy = scaled(name, one, scale)
    const header = headerOf(policy)
    return [name, {
      ...policy,
      by: one.by,
      header,
      headerWithWorkspace: `${header}, ${headerOf(workspace)}`,
      waitS: Math.ceil(1 / policy.perSecond),
      buckets: createBuckets(policy)
    }]
  })
  return {
    classes: Object.fromEntries(classes) as Record<RateClass, ClassPolicy | null>,
    workspace: { ...workspace, buckets: createBuckets(workspace) }
  }
}

function scaled (name: string, { burst, perSecond }: { burst: number, perSecond: number }, scale: number): Policy {
  return { name, burst: burst * scale, perSecond: perSecond * scale }
}

function headerOf ({ name, burst, perSecond }: Policy): string {
  return `"${name}";q=${burst};w=${Math.max(1, Math.round(burst / perSecond))}`
}
