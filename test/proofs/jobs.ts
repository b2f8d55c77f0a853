// `npm run prove -- jobs`: what happens to work when everything else fails.
import type { Proofs } from '../../bin/proof.ts'
import { proofs as downstream } from './jobs/downstream.ts'
import { proofs as fair } from './jobs/fair.ts'
import { proofs as fetch } from './jobs/fetch.ts'
import { proofs as letters } from './jobs/letters.ts'
import { proofs as poison } from './jobs/poison.ts'
import { proofs as redisFaults } from './jobs/redis-faults.ts'
import { proofs as policy } from './jobs/redis-policy.ts'
import { proofs as runtime } from './jobs/runtime.ts'
import { proofs as scale } from './jobs/scale.ts'
import { proofs as schedules } from './jobs/schedules.ts'
import { proofs as soak } from './jobs/soak.ts'
import { proofs as standing } from './jobs/standing.ts'
import { proofs as stepDown } from './jobs/step-down.ts'

const all = {
  ...downstream, ...fair, ...fetch, ...letters, ...poison, ...policy, ...redisFaults, ...runtime, ...scale,
  ...schedules, ...soak, ...standing, ...stepDown
}

/** They share one MongoDB and one Redis; those that kill them start their own. */
export const needsStores = true

export const proofs: Proofs = Object.fromEntries(
  Object.entries(all).toSorted(([a], [b]) => Number(a.slice(1)) - Number(b.slice(1))))
