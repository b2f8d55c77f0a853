// Tells the holder of the stores to go; it would also go by itself once the runner has ended.
import { readFileSync } from 'node:fs'
import { notePath, urlsFromEnvironment } from './stores.ts'

if (urlsFromEnvironment() === undefined) {
  const { holder } = JSON.parse(readFileSync(notePath(process.ppid), 'utf8')) as { holder: number }
  process.kill(holder, 'SIGTERM')
}
