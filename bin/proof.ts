/** What a proof gets: how often to go round. Its criterion does not move. */
export interface ProofOptions {
  /** Rounds asked for by `--rounds`; undefined: as many as the proof says. */
  rounds: number | undefined
  /** Progress for a person, on stderr. */
  say: (line: string) => void
}

/** Runs to its figures in one phrase, `50 rounds, 5,000 runs, 0 lost`; throws when the criterion is missed. */
export interface Proof {
  (options: ProofOptions): Promise<string>
  /** It takes too long to run with the others: only when its id is asked for. */
  isOnlyNamed?: boolean
}

/** What `test/proofs/<area>.ts` exports as `proofs`: by id, in the order in which they run. */
export type Proofs = Record<string, Proof>
