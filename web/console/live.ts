import { signal } from '@preact/signals'
import { createWire, type Follower, type Said } from './live-wire.ts'
import { freshToken } from './tokens.ts'

export type { Pub } from './live-wire.ts'

/** What the socket is: shown as it is, never as it might be. */
export const liveState = signal<Said>({ name: 'connecting', missing: 0 })

let wire: ReturnType<typeof createWire> | undefined

/** Follows a channel: snapshot, position, publications. Answers how to stop. */
export function follow (channel: string, follower: Follower): () => void {
  wire ??= createWire({
    url: new URL('/live', location.href).href.replace(/^http/, 'ws'),
    token: freshToken,
    onState: (said) => { liveState.value = said }
  })
  return wire.follow(channel, follower)
}
