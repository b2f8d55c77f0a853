import { createWorldClock, type WorldClock } from './clock.ts'
import { controlPort } from './control.ts'
import { mastodonFace } from './faces/mastodon.ts'
import { createFaults, type Faults } from './faults.ts'
import { createLedger, type Ledger } from './ledger.ts'
import { createLimits } from './limits.ts'
import { createWorld, type World, type WorldOptions } from './world.ts'

export { mainJobFaults, type Effect } from './faults.ts'
export { madeFile, readImages, type PoolFile } from './images.ts'
export { readPosts, type Post } from './posts.ts'
export type { RequestEntry } from './ledger.ts'

export interface PlatformsOptions extends WorldOptions {
  /** 0, the default, takes a free port. */
  facePort?: number | undefined
  controlPort?: number | undefined
  /** Speed of each media answer, bytes per second; 256 KiB where absent. */
  mediaBytesPerSecond?: number | undefined
}

export interface Platforms {
  origin: string
  controlOrigin: string
  world: World
  ledger: Ledger
  faults: Faults
  clock: WorldClock
  close: () => Promise<void>
}

/** Starts one world with its Mastodon face and its control port on loopback. */
export async function startPlatforms (options: PlatformsOptions = {}): Promise<Platforms> {
  const { facePort = 0, controlPort: port = 0, mediaBytesPerSecond = 256 * 1024, ...content } = options
  const clock = createWorldClock()
  const ledger = createLedger(clock)
  const faults = createFaults()
  const limits = createLimits(clock)
  const world = createWorld({ clock, ledger, ...content })
  const ground = { world, ledger, faults, limits, now: clock.now, mediaBytesPerSecond }
  const reset = () => {
    for (const part of [clock, ledger]) part.reset()
    for (const part of [faults, limits]) part.clear()
    world.reset(content)
  }
  const face = mastodonFace(ground)
  const control = controlPort({ ...ground, clock, small: content.small ?? false, reset })
  const origin = await face.listen({ host: '127.0.0.1', port: facePort })
  const controlOrigin = await control.listen({ host: '127.0.0.1', port })
  const close = async () => { await Promise.all([face.close(), control.close()]) }
  return { origin, controlOrigin, world, ledger, faults, clock, close }
}
