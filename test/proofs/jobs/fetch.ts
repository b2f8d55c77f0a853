// P30: no spelling of an address of ours is connected to. P31: a hostile host gets its code and no memory.
// P32: a download that is cut or killed anywhere ends right.
import type { Proofs } from '../../../bin/proof.ts'
import { proveCuts } from './fetch-cuts.ts'
import { proveHostility } from './fetch-hostile.ts'
import { proveTargets } from './fetch-targets.ts'

export const proofs: Proofs = {
  P30: async ({ say }) => await proveTargets(say),
  P31: async ({ say }) => await proveHostility(say),
  P32: async ({ rounds, say }) => await proveCuts(rounds ?? 500, say)
}
