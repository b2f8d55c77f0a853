import { signal } from '@preact/signals'
import { createLive, type ListState, type Live, type LiveInfo, type Pub as Told } from '../client/live/index.ts'
import { problemOf } from './problem.ts'
import { freshToken } from './tokens.ts'

/** A publication; what it carries is read by whoever knows the channel. */
export type Pub = Told<Record<string, unknown>>

export interface Follower {
  /** Reads the snapshot; undefined where it was refused, which its store shows. */
  getState?: () => Promise<object | undefined>
  onPub: (pub: Pub) => void
}

/** What the socket is: shown as it is, never as it might be. */
export const liveState = signal<LiveInfo>({ status: 'idle', missing: 0 })

let live: Live | undefined

function open (): Live {
  return createLive({
    url: new URL('/live', location.href).href.replace(/^http/, 'ws'),
    token: freshToken,
    onInfo: (info) => { liveState.value = info },
    // A server that is away is told by the dot; only our own mistakes are news.
    onError: (error) => { if (problemOf(error).code === 'page.broken') reportError(error) }
  })
}

/** Follows a channel: snapshot, position, publications. Answers how to stop. */
export function follow (channel: string, { getState, onPub }: Follower): () => void {
  live ??= open()
  const { close } = live.subscribe<ListState, Record<string, unknown>>(channel, {
    onPub,
    ...(getState === undefined ? {} : { getState: async () => (await getState() ?? {}) as ListState })
  })
  return close
}

/** Ends the socket; the next `follow` opens another. */
export function closeLive (): void {
  live?.close()
  live = undefined
}
