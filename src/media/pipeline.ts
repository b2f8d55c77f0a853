import { createHash } from 'node:crypto'
import type { Clock, Storage } from '../kernel/index.ts'
import type { ImageFacts, ImagePort, Rendered } from './images.ts'
import { extensions, thumbRecipe } from './presets.ts'
import { purposes } from './purposes.ts'
import { Refusal, reasons, type Reason } from './reasons.ts'
import type { FileRow, Ready, Step, StoredImage } from './repository.ts'
import { agree, sniff } from './types.ts'

export type Outcome =
  | { state: 'ready', ready: Ready, steps: Step[] }
  | { state: 'rejected', reason: Reason, message: string, steps: Step[] }

interface Tools<F extends ImageFacts> { storage: Storage, images: ImagePort<F>, clock: Clock, signal: AbortSignal }

/** Every step of `media.md` 4.4 for a picture, on one copy of the bytes. Each may be repeated: keys are contents. */
export async function examine<F extends ImageFacts> (file: FileRow, tools: Tools<F>): Promise<Outcome> {
  const steps: Step[] = []
  const step = async <T>(name: string, work: () => Promise<T> | T): Promise<T> => {
    tools.signal.throwIfAborted()
    const startedAt = tools.clock.now()
    const value = await work()
    steps.push({ name, startedAt, endedAt: tools.clock.now() })
    return value
  }
  try {
    const bytes = await step('fetch', async () => await take(file, tools.storage))
    const sniffed = await step('sniff', async () => await sniff(bytes))
    await step('agree', () => { agree(sniffed, file.original.type, purposeOf(file).types) })
    const facts = await step('probe', async () => await tools.images.probe(bytes))
    const made = await step('transform', async () => await tools.images.render(bytes, facts, tools.signal))
    const ready = await step('store', async () => await keep(file, made, tools.storage))
    return { state: 'ready', ready, steps }
  } catch (error) {
    const reason = reasonOf(error)
    if (reason === undefined) throw error
    return { state: 'rejected', reason, message: (error as Error).message, steps }
  }
}

function purposeOf ({ purpose }: FileRow) {
  const found = purposes[purpose]
  if (found === undefined) throw new Error(`no pipeline for the purpose ${purpose}`)
  return found
}

/** The reason of a refusal, of ours or of the decoder's; undefined for a fault that is not the file's. */
function reasonOf (error: unknown): Reason | undefined {
  const { reason } = error as { reason?: unknown }
  return reasons.find((word) => word === reason)
}

/** The one copy that all later steps see, compared with what the download said. */
async function take (file: FileRow, storage: Storage): Promise<Buffer> {
  const { original, incomingKey } = file
  if (original.bytes > purposeOf(file).maxBytes) throw new Refusal('too_large', `${original.bytes} bytes`)
  const stream = await storage.get(incomingKey)
  if (stream === null) throw new Refusal('expired', 'the bytes are gone')
  const bytes = Buffer.concat(await stream.toArray() as Buffer[])
  if (bytes.length !== original.bytes || sha256(bytes) !== original.sha256) {
    throw new Refusal('checksum_mismatch', 'the stored bytes are not the ones received')
  }
  return bytes
}

type Made = Awaited<ReturnType<ImagePort['render']>>

/** Stores master and thumbnail under their contents, as long as nobody has done it before. */
async function keep (file: FileRow, made: Made, storage: Storage): Promise<Ready> {
  const { workspaceId } = file
  const { master, thumb, placeholder, perceptualHash } = made
  const hash = sha256(master.bytes)
  const [storedMaster, storedThumb] = await Promise.all([
    put(storage, `blobs/${workspaceId}/${hash}`, master, hash),
    put(storage, `renditions/${workspaceId}/${hash}/${thumbRecipe}`, thumb, sha256(thumb.bytes))
  ])
  const { type, width, height, frames } = master
  return {
    type,
    width,
    height,
    frames,
    placeholder,
    perceptualHash,
    sha256: hash,
    sizeBytes: master.bytes.length,
    master: storedMaster,
    thumb: { ...storedThumb, width: thumb.width, height: thumb.height }
  }
}

async function put (
  storage: Storage, storageKey: string, { bytes, type }: Rendered, hash: string
): Promise<StoredImage> {
  if (extensions[type] === undefined) throw new Error(`no extension for ${type}`)
  const stored = await storage.put(storageKey, bytes, { type, sha256: hash })
  return { storageKey, sha256: stored.sha256, type: stored.type, bytes: stored.bytes }
}

function sha256 (bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
