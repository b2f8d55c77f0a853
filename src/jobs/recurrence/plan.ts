/** How a rule is expanded; milliseconds, wall times counted as if they were of UTC. */
export type Plan =
  | {
    kind: 'wall'
    /** Every hour counts: the rule follows the clock through gaps and folds instead of moving times. */
    isOpen: boolean
    /** Wall times after one, ascending. */
    walls: (afterMs: number) => Iterable<number>
    /** The last instant that counts. */
    untilMs?: number
  }
  | { kind: 'elapsed', firstMs: number, stepMs: number, lastMs: number }
