/** When nothing that needs the resource starts: once, or at a wall time of a zone on all or some days. */
export type Blackout =
  | { from: Date, to: Date }
  | {
    /** `22:00` to `06:00` ends on the next day. */
    daily: { from: string, to: string }
    /** 1 is Monday; without it every day. A night counts to the day on which it begins. */
    days?: readonly number[]
    zone: string
  }

export interface ResourceDefinition {
  name: string
  /** So many runs have it at once. */
  capacity: number
  /** So many starts a second, at most as many at once. */
  ratePerS?: number
  blackouts?: readonly Blackout[]
}

/** Name of the resource whose blackouts hold for all runs of schedules and for all that name a resource. */
export const everything = '*'

/**
 * Named capacity that runs take before they are released; the resource of an outside service has the name of the
 * target. A resource that is not declared has capacity 1, a target that is not declared no limit.
 */
export function defineResource (resource: ResourceDefinition): ResourceDefinition {
  const { name, capacity, ratePerS } = resource
  if (!Number.isInteger(capacity) || capacity < 0) throw new Error(`${name}: a capacity is a whole number`)
  if (ratePerS !== undefined && !(ratePerS > 0)) throw new Error(`${name}: a rate is above 0`)
  return resource
}
