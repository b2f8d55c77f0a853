import { createHash } from 'node:crypto'

/** Raised when the same recipe would give other bytes. */
const pipelineVersion = 1

const recipes = {
  thumb: { pipelineVersion, resize: { width: 320, height: 320, fit: 'inside' }, format: 'webp', quality: 80 }
} as const

/** Hash of the canonical recipe of the thumbnail; part of its key. */
export const thumbRecipe = createHash('sha256').update(JSON.stringify(recipes.thumb)).digest('hex')

export const extensions: Record<string, string> = { 'image/jpeg': 'jpg', 'image/png': 'png', 'image/webp': 'webp' }
