// Random schedules share random resources, step by step, beside a model that counts who holds what.
import { allot, resourceState, type Contestant, type ResourceState } from '../../../src/jobs/index.ts'
import type { ResourceDefinition } from '../../../src/kernel/index.ts'

const stepMs = 100
/** Slots come for so long; what waits then has as long again. */
const slotsMs = 15_000
const startMs = Date.UTC(2026, 0, 1)

interface Schedule { everyMs: number, runMs: number, rank: number, names: string[] }
interface Waiting extends Contestant { runMs: number }

interface World {
  seed: number
  resources: Map<string, ResourceDefinition>
  schedules: Schedule[]
  states: Map<string, ResourceState>
  waiting: Waiting[]
  holding: Array<{ run: Waiting, endMs: number }>
  /** How often each run saw somebody later go first. */
  passed: Map<string, number>
  nextId: number
}

/** Throws where a resource has more holders than places, or a run is passed over more than three times. */
export function playContest (seed: number): { turns: number, starts: number, worst: number } {
  const world = createWorld(seed)
  let [starts, turns] = [0, 0]
  for (let ms = 0; ms < 2 * slotsMs; ms += stepMs) {
    if (ms < slotsMs) makeSlots(world, ms)
    world.holding = world.holding.filter(({ endMs }) => endMs > ms)
    starts += takeTurn(world, ms)
    checkCapacity(world)
    turns++
  }
  const worst = Math.max(0, ...world.passed.values())
  if (worst > 3) throw new Error(`seed ${seed}: a run was passed over ${worst} times`)
  return { turns, starts, worst }
}

function createWorld (seed: number): World {
  const below = dice(seed)
  const resources = new Map(Array.from({ length: 1 + below(4) }, (_, i): [string, ResourceDefinition] =>
    [`r${i}`, { name: `r${i}`, capacity: 1 + below(3), ...(below(3) === 0 && { ratePerS: 1 + below(3) }) }]))
  const schedules = Array.from({ length: 2 + below(10) }, () => ({
    everyMs: stepMs * (2 + below(20)), runMs: 100 + below(1500), rank: below(7) - 3,
    names: [...resources.keys()].filter(() => below(2) === 0)
  })).filter(({ names }) => names.length > 0)
  return {
    seed, resources, schedules, states: new Map(), waiting: [], holding: [], passed: new Map(), nextId: 0
  }
}

/** A whole number below another, the same ones for the same seed. */
function dice (seed: number): (n: number) => number {
  let state = seed * 7919 + 1
  return (n) => {
    state = (state * 48_271) % 2_147_483_647
    return Math.floor(state / 2_147_483_647 * n)
  }
}

function makeSlots (world: World, ms: number): void {
  const slotAt = new Date(startMs + ms)
  for (const { runMs, rank, names } of world.schedules.filter(({ everyMs }) => ms % everyMs === 0)) {
    const _id = String(world.nextId++).padStart(6, '0')
    world.waiting.push({ _id, names, rank, runMs, release: 0, slotAt, overtaken: 0, isScheduled: true })
  }
}

function takeTurn (world: World, ms: number): number {
  const now = new Date(startMs + ms)
  for (const definition of world.resources.values()) world.states.set(definition.name, stateOf(world, definition, now))
  const { winners, overtaken, buckets } = allot(world.waiting, world.states, now)
  for (const [name, bucket] of buckets) Object.assign(world.states.get(name) ?? {}, { bucket })
  world.waiting = world.waiting.filter((run) => !winners.includes(run))
  for (const loser of world.waiting) judge(world, loser, winners, overtaken)
  for (const run of overtaken) run.overtaken++
  for (const run of winners) world.holding.push({ run, endMs: ms + run.runMs })
  return winners.length
}

function stateOf ({ states, holding }: World, definition: ResourceDefinition, now: Date): ResourceState {
  const { name } = definition
  const holders = holding.filter(({ run }) => run.names.includes(name)).map(({ run: { _id: runId } }) =>
    ({ runId, release: 1, until: new Date(startMs + 1e9) }))
  const bucket = states.get(name)?.bucket
  const state = resourceState(name, undefined, definition, { isTarget: false, nowMs: now.getTime() })
  return { ...state, holders, ...(bucket && { bucket }) }
}

/** The model's own idea of a lost turn: somebody who came later got what this one waits for. */
function judge (
  { seed, passed }: World, loser: Waiting, winners: readonly Waiting[], overtaken: readonly Waiting[]
): void {
  const isPassed = winners.some((winner) => winner._id > loser._id &&
    winner.names.some((name) => loser.names.includes(name)))
  if (isPassed) passed.set(loser._id, (passed.get(loser._id) ?? 0) + 1)
  if (isPassed !== overtaken.includes(loser)) throw new Error(`seed ${seed}: ${loser._id} was passed over unseen`)
}

function checkCapacity ({ seed, resources, holding }: World): void {
  for (const { name, capacity } of resources.values()) {
    const count = holding.filter(({ run }) => run.names.includes(name)).length
    if (count > capacity) throw new Error(`seed ${seed}: ${count} hold ${name}, which has ${capacity}`)
  }
}
