import { defineInvariant } from '../../kernel/index.ts'
import { createRunFindings } from '../repository.ts'

/** What the engine promises of its own data at any instant; `jobs.md` 4.1. */
export const standingInvariants = [
  defineInvariant({
    name: 'jobs.runs-are-what-they-say',
    check: async (store) => await createRunFindings(store).contradictions()
  }),
  defineInvariant({
    name: 'jobs.open-letters-have-dead-runs',
    check: async (store) => await createRunFindings(store).lettersWithoutRun()
  })
]
