// What a transfer tells its document: states, progress, and how far its bytes are on the disk.
import { Superseded } from './ending.ts'
import { createPace } from './pace.ts'
import type { Parts } from './parts.ts'
import { bitmapOf } from './pieces.ts'
import type { DownloadRepository, DownloadRow, RowChange } from './repository.ts'

export interface Journal {
  /** Aborts when the run does, and when somebody else decides about the transfer. */
  readonly signal: AbortSignal
  /** Writes states and facts under the claim; throws `Superseded` when another start has the transfer. */
  write (changes: readonly RowChange[], bytes?: number): Promise<void>
  /** Bytes came: now and then this is worth a write. */
  tick (): Promise<void> | undefined
  /** What is received goes to the disk, and the document says so. */
  note (): Promise<void>
  /** The checks of the pieces, as the document keeps them. */
  pieces (): Pick<RowChange, 'pieces' | 'pieceHashes'>
  close (): void
}

export interface JournalOptions {
  downloads: DownloadRepository
  row: DownloadRow
  parts: Parts
  host: string
  boot: string
  signal: AbortSignal
  /** Progress of the run. */
  onProgress: (done: number, total: number | null) => void
  /** About every second, bytes or none. */
  onBeat: () => void
  /** Before more is taken after a note: quota and disk are asked again. Throws `quota`, `disk`. */
  onNote: () => Promise<void>
}

const syncBytes = 64 * 1024 * 1024
const beatMs = 1000

export function createJournal (options: JournalOptions): Journal {
  const { downloads, row, parts, onProgress } = options
  const stop = new AbortController()
  const pace = createPace()
  let wroteAt = performance.now()
  let noted = parts.written
  let busy: Promise<void> | undefined

  async function write (changes: readonly RowChange[], bytes?: number): Promise<void> {
    wroteAt = performance.now()
    if (await downloads.write(row, changes, bytes)) return
    stop.abort(new Superseded())
    throw new Superseded()
  }

  function pieces () {
    const pieceHashes = parts.hashes()
    return { pieceHashes, pieces: bitmapOf(pieceHashes) }
  }

  async function note (): Promise<void> {
    noted = parts.length
    await parts.sync()
    const lengths = parts.files.map((file) => file.written)
    await write([{ part: { host: options.host, boot: options.boot, lengths }, ...pieces() }], parts.written)
  }

  async function tell (tick: NonNullable<ReturnType<typeof pace>>): Promise<void> {
    onProgress(parts.written, row.total)
    await parts.flush()
    await write([tick.isRich ? { ...tick.change, ...pieces() } : tick.change], parts.written)
  }

  async function noteAndAsk (): Promise<void> {
    await note()
    await options.onNote()
  }

  /** One at a time; whoever comes meanwhile need not wait. */
  function alone (work: Promise<void>): Promise<void> {
    busy = work.finally(() => { busy = undefined })
    return busy
  }

  /** A host that is silent must not keep a pause waiting. */
  function beat (): void {
    options.onBeat()
    if (busy !== undefined || performance.now() - wroteAt < beatMs) return
    const tick = pace(parts.length, row.total) ?? { change: {}, isRich: false }
    alone(tell(tick)).catch((error: unknown) => { stop.abort(error) })
  }

  const timer = setInterval(beat, beatMs)
  return {
    signal: AbortSignal.any([options.signal, stop.signal]),
    write,
    pieces,
    tick () {
      if (busy !== undefined) return undefined
      if (parts.length - noted >= syncBytes) return alone(noteAndAsk())
      const tick = pace(parts.length, row.total)
      return tick === undefined ? undefined : alone(tell(tick))
    },
    async note () {
      await busy?.catch(() => {})
      await note()
    },
    close () { clearInterval(timer) }
  }
}
