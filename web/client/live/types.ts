/** A publication as it stands on the wire. */
export interface Pub<T = unknown> {
  ch: string
  o: number
  ts: number
  k: string
  d: T
  mid?: string
  key?: string
  del?: true
  by?: string
}

/** Where a channel stands; `m` lets the server prove that `o` still is what we saw. */
export interface Position { e: string, o: number, m?: string }

/** What a list of the REST interface carries beside its rows. */
export interface ListState {
  position?: { channel: string, epoch: string, offset: number, mid: string | null } | undefined
}

export type LiveStatus = 'idle' | 'connecting' | 'live' | 'waiting' | 'stopped'

export interface LiveInfo {
  status: LiveStatus
  /** Milliseconds since the epoch of the next attempt, while waiting. */
  againAt?: number
  /** Publications that are still to come before everything is current. */
  missing: number
  /** Why it stopped, or was closed last. */
  code?: number
}

export interface LiveProblem { code: number, key: string, msg: string, temp: boolean, retryMs?: number }

export interface Handlers<S extends ListState = ListState, T = unknown> {
  /** Reads the state by REST; its position joins it to the channel without a gap. */
  getState?: () => Promise<S>
  /** The state was read: at first, and whenever continuity cannot be proved. */
  onState?: (state: S) => void
  /** What is shown does not count any more and comes anew; before `onState`, or before all keys of a state channel. */
  onReset?: () => void
  /** Each publication once, in order. */
  onPub?: (pub: Pub<T>) => void
  /** Everything up to here has been told. */
  onCurrent?: () => void
  /** The server does not let us follow this channel (any more). */
  onEnd?: (problem: LiveProblem) => void
}

export interface LiveOptions {
  /** `wss://host/live` */
  url: string
  /** Called at every connect and refresh; must answer a token that is good now. */
  token: () => string | Promise<string>
  /** Name of the program. */
  sdk?: string
  /** Survives reconnects; the newer socket of a session takes the place of the older. */
  session?: string
  /** Another implementation than the global one, as `ws` in Node. */
  WebSocket?: new (url: string, protocol: string) => WebSocket
  onInfo?: (info: LiveInfo) => void
  /** Every frame as it came, pings left out: for logs and tests. */
  onFrame?: (frame: Record<string, unknown>) => void
  /** What a handler threw. */
  onError?: (error: unknown) => void
}
