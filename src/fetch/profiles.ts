import type { FetchProfile } from '../kernel/index.ts'

type Method = 'GET' | 'HEAD' | 'POST' | 'PUT'

/** Limits of one purpose (`jobs.md` 4.11). Bytes and milliseconds; Infinity where the caller sets the limit. */
export interface Limits {
  methods: readonly Method[]
  redirects: number
  /** Statuses that are followed. */
  follows: readonly number[]
  /** `same-origin`: a redirect elsewhere is refused. */
  across: 'allowed' | 'same-origin'
  /** https to http is refused. */
  isDowngradeRefused: boolean
  /** Bytes as sent and as unpacked. */
  body: number
  unpacked: number
  /** The body is handed on as it was sent. */
  isRaw: boolean
  /** A longer body ends at the cap instead of failing: only its beginning is wanted. */
  isCut: boolean
  firstByteMs: number
  idleMs: number
  totalMs: number
  /** Fewer bytes within so much time of waiting is too slow. */
  rate: { bytes: number, windowMs: number }
  /** Connections to one host. */
  connections: number
}

const KiB = 1024
const MiB = 1024 * KiB

const usual: Limits = {
  methods: ['GET'],
  redirects: 5,
  follows: [301, 302, 303, 307, 308],
  across: 'allowed',
  isDowngradeRefused: false,
  body: 8 * MiB,
  unpacked: 16 * MiB,
  isRaw: false,
  isCut: false,
  firstByteMs: 15_000,
  idleMs: 15_000,
  totalMs: 30_000,
  rate: { bytes: 30 * KiB, windowMs: 30_000 },
  connections: 16
}

export const profiles: Record<FetchProfile, Limits> = {
  page: usual,
  feed: { ...usual, body: 50 * MiB, unpacked: 50 * MiB, totalMs: 60_000 },
  probe: {
    ...usual,
    methods: ['HEAD', 'GET'],
    body: 64 * KiB,
    unpacked: 64 * KiB,
    isRaw: true,
    isCut: true,
    totalMs: 20_000
  },
  file: {
    ...usual,
    isDowngradeRefused: true,
    body: Infinity,
    unpacked: Infinity,
    isRaw: true,
    idleMs: 60_000,
    totalMs: Infinity,
    // Four files of a host at once, each in at most four segments.
    connections: 16
  },
  image: { ...usual, redirects: 3, body: 30 * MiB, unpacked: 30 * MiB, isRaw: true, firstByteMs: 5000, idleMs: 5000 },
  callback: {
    ...usual,
    methods: ['POST', 'PUT'],
    redirects: 3,
    follows: [307, 308],
    isDowngradeRefused: true,
    body: MiB,
    unpacked: MiB,
    firstByteMs: 10_000,
    idleMs: 10_000,
    totalMs: 10_000
  },
  api: {
    ...usual,
    methods: ['GET', 'POST'],
    redirects: 3,
    across: 'same-origin',
    isDowngradeRefused: true,
    body: 10 * MiB,
    unpacked: 10 * MiB,
    firstByteMs: 5000
  }
}

export const maxHeaderBytes = 32 * KiB
/** Unpacked to packed, once more than `from` bytes came out. */
export const maxRatio = { ratio: 100, from: 64 * KiB }
