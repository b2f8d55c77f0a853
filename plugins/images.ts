import { totalmem } from 'node:os'
import fp from 'fastify-plugin'
import sharp from 'sharp'
import { createAdmission } from './images/admission.ts'
import { render, type Rendered, type Renditions } from './images/render.ts'
import { probe, type ImageFacts } from './images/probe.ts'

export type { ImageFacts, Rendered, Renditions }

/** Pictures of strangers: what they are, and clean copies of them; only in workers. */
export interface Images {
  /** By the header alone. Throws an `ImageError`. */
  probe (bytes: Buffer): Promise<ImageFacts>
  /** Master and thumbnail without any metadata. Throws an `ImageError`. */
  render (bytes: Buffer, facts: ImageFacts, signal?: AbortSignal): Promise<Renditions>
}

declare module 'fastify' {
  interface FastifyInstance { images: Images }
}

/** Loaders that may meet bytes of a stranger; all others are blocked. */
const loaders = ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Heif', 'Tiff'].map((name) => `VipsForeignLoad${name}Buffer`)
const bytesPerPixel = 12

export default fp<{ offline: boolean }>(async function images (app) {
  sharp.cache(false)
  sharp.concurrency(1)
  sharp.block({ operation: ['VipsForeignLoad'] })
  sharp.unblock({ operation: loaders })
  const admit = createAdmission(Math.min(totalmem() / 4, 1024 ** 3) / bytesPerPixel)
  app.decorate('images', {
    probe,
    render: async (bytes, facts, signal) =>
      await admit(facts.width * facts.height * facts.frames, async () => await render(bytes, facts), signal)
  })
}, { name: 'images', dependencies: ['telemetry'] })
