import sharp from 'sharp'

export type ImageFamily = 'jpeg' | 'png' | 'webp' | 'gif' | 'avif' | 'tiff'

export interface ImageFacts {
  family: ImageFamily
  /** Of one frame, before the orientation is applied. */
  width: number
  height: number
  frames: number
}

/** Why a picture is refused for good. */
export class ImageError extends Error {
  override readonly name = 'ImageError'
  readonly reason: 'corrupt_file' | 'dimensions_exceeded' | 'too_many_frames'

  constructor (reason: ImageError['reason'], message: string, options: ErrorOptions = {}) {
    super(message, options)
    this.reason = reason
  }
}

const MP = 1_000_000
const limits = { pixels: 50 * MP, frames: 100, allPixels: 200 * MP, channels: 5 }
const families: Record<string, ImageFamily> = {
  jpeg: 'jpeg', png: 'png', webp: 'webp', gif: 'gif', heif: 'avif', tiff: 'tiff'
}

/** Reads the header only; no pixel is decoded (`media.md` 4.6). */
export async function probe (bytes: Buffer): Promise<ImageFacts> {
  const { format, width, height, pages = 1, pageHeight, channels } = await readHeader(bytes)
  const family = families[format]
  if (family === undefined) throw new ImageError('corrupt_file', `no picture of a known family: ${format}`)
  const isAnimated = family === 'gif' || family === 'webp'
  const facts = { family, width, height: pageHeight ?? height, frames: isAnimated ? pages : 1 }
  judge(facts, channels)
  return facts
}

async function readHeader (bytes: Buffer) {
  try {
    return await sharp(bytes, { failOn: 'error', limitInputPixels: false }).metadata()
  } catch (cause) {
    throw new ImageError('corrupt_file', `the header cannot be read: ${(cause as Error).message}`, { cause })
  }
}

function judge ({ width, height, frames }: ImageFacts, channels: number): void {
  const pixels = width * height
  if (width < 1 || height < 1 || channels > limits.channels) {
    throw new ImageError('corrupt_file', 'the header makes no sense')
  }
  if (pixels > limits.pixels) throw new ImageError('dimensions_exceeded', `${width} x ${height} pixels`)
  if (frames > limits.frames || pixels * frames > limits.allPixels) {
    throw new ImageError('too_many_frames', `${frames} frames of ${width} x ${height} pixels`)
  }
}
