/** Time by the database server: its last answer plus this process's monotonic timer (`jobs.md` 4.1). */
export interface Clock {
  now (): Date
  /** Milliseconds since the epoch. */
  ms (): number
}
