import sharp, { type Sharp } from 'sharp'
import { rgbaToThumbHash } from 'thumbhash'
import { ImageError, type ImageFacts } from './probe.ts'

export interface Rendered {
  bytes: Buffer
  type: 'image/jpeg' | 'image/png' | 'image/webp'
  width: number
  height: number
  frames: number
}

export interface Renditions {
  master: Rendered
  thumb: Rendered
  placeholder: { thumbhash: string, dominantColor: string }
  /** 64-bit difference hash, hex. */
  perceptualHash: string
}

const maxSide = 4096
const thumbSide = 320
const timeout = { seconds: 30 }
const allPixels = 200_000_000

/** Master, thumbnail and placeholder: everything but pixels stays behind (`media.md` 4.6). */
export async function render (bytes: Buffer, facts: ImageFacts): Promise<Renditions> {
  const master = await refuseCorrupt(async () => await renderMaster(bytes, facts))
  // The next smaller one is made of the larger one, which is clean already.
  const thumb = await encode(shrink(sharp(master.bytes), thumbSide).webp({ quality: 80, effort: 4 }), 'image/webp')
  const [placeholder, perceptualHash] = await Promise.all([placeholderOf(thumb.bytes), hashOf(thumb.bytes)])
  return { master, thumb, placeholder, perceptualHash }
}

async function renderMaster (bytes: Buffer, { family, frames }: ImageFacts): Promise<Rendered> {
  const isAnimated = frames > 1
  const source = sharp(bytes, { failOn: 'error', limitInputPixels: allPixels, animated: isAnimated })
  const picture = shrink(source.autoOrient().toColourspace('srgb'), maxSide).timeout(timeout)
  if (isAnimated || family === 'webp' || family === 'avif') {
    return await encode(picture.webp({ quality: 90 }), 'image/webp')
  }
  if (family === 'jpeg') return await encode(picture.jpeg({ quality: 88, mozjpeg: true }), 'image/jpeg')
  return await encode(picture.png(), 'image/png')
}

function shrink (picture: Sharp, side: number): Sharp {
  return picture.resize({ width: side, height: side, fit: 'inside', withoutEnlargement: true })
}

async function encode (picture: Sharp, type: Rendered['type']): Promise<Rendered> {
  const { data, info } = await picture.toBuffer({ resolveWithObject: true })
  const frames = info.pages ?? 1
  return { bytes: data, type, width: info.width, height: info.pageHeight ?? info.height, frames }
}

async function refuseCorrupt<T> (work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    const { message } = cause as Error
    if (message.includes('timeout')) throw cause
    throw new ImageError('corrupt_file', `the picture cannot be decoded: ${message}`, { cause })
  }
}

async function placeholderOf (thumb: Buffer): Promise<Renditions['placeholder']> {
  const { data, info } = await shrink(sharp(thumb), 100).ensureAlpha().raw().toBuffer({ resolveWithObject: true })
  const hash = rgbaToThumbHash(info.width, info.height, data)
  return { thumbhash: Buffer.from(hash).toString('base64'), dominantColor: dominantOf(data) }
}

/** The mean of the fullest of 4,096 boxes of colour, transparent pixels left out. */
function dominantOf (rgba: Buffer): string {
  const boxes = new Map<number, [count: number, red: number, green: number, blue: number]>()
  for (let at = 0; at < rgba.length; at += 4) {
    const [red, green, blue] = [rgba[at] ?? 0, rgba[at + 1] ?? 0, rgba[at + 2] ?? 0]
    if ((rgba[at + 3] ?? 0) < 128) continue
    const key = (red >> 4) << 8 | (green >> 4) << 4 | blue >> 4
    const box = boxes.get(key)
    if (box === undefined) boxes.set(key, [1, red, green, blue])
    else {
      box[0]++
      box[1] += red
      box[2] += green
      box[3] += blue
    }
  }
  const [count, ...sums] = [...boxes.values()].reduce((best, box) => box[0] > best[0] ? box : best, [0, 0, 0, 0])
  return '#' + sums.map((sum) => Math.round(sum / Math.max(1, count)).toString(16).padStart(2, '0')).join('')
}

async function hashOf (thumb: Buffer): Promise<string> {
  const grey = await sharp(thumb).flatten().greyscale().resize(9, 8, { fit: 'fill' }).raw().toBuffer()
  const step = grey.length / 72
  let hash = 0n
  for (let row = 0; row < 8; row++) {
    for (let column = 0; column < 8; column++) {
      const at = (row * 9 + column) * step
      hash = hash << 1n | ((grey[at] ?? 0) > (grey[at + step] ?? 0) ? 1n : 0n)
    }
  }
  return hash.toString(16).padStart(16, '0')
}
