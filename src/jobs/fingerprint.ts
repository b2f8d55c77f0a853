import { createHash } from 'node:crypto'
import type { Classified } from './classify.ts'

/** What makes two dead letters the same trouble: class, job, and the code or the three top frames of our own. */
export function fingerprintOf (job: string, { cause, code }: Classified, error: unknown): string {
  const what = cause === 'bug' ? framesOf(error) || code : code
  return createHash('sha256').update(`${cause}\n${job}\n${what}`).digest('hex').slice(0, 16)
}

function framesOf (error: unknown): string {
  const stack = error instanceof Error ? error.stack ?? '' : ''
  return stack.split('\n')
    .filter((line) => /^\s+at /.test(line) && !line.includes('node_modules') && !line.includes('node:'))
    .slice(0, 3)
    .map((line) => line.replace(/:\d+:\d+\)?$/, '').replace(/\(.*\/(?=[^/]+$)/, '(').trim())
    .join('\n')
}
