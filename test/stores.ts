// The stores of a test run: an address in the environment wins, else the note that the run's holder left.
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface StoreUrls { mongoUrl: string, redisUrl: string }

/** Where the holder of a run writes what it started; a run is known by the pid of its runner. */
export function notePath (runner: number): string {
  return join(tmpdir(), `switchyard-tests-${runner}.json`)
}

export function urlsFromEnvironment (): StoreUrls | undefined {
  const { MONGO_URL: mongoUrl, REDIS_URL: redisUrl } = process.env
  return mongoUrl && redisUrl ? { mongoUrl, redisUrl } : undefined
}

/** URLs of the stores of this run. Throws one sentence when there are none. */
export function testStores (): StoreUrls {
  const urls = urlsFromEnvironment()
  if (urls !== undefined) return urls
  try {
    return JSON.parse(readFileSync(notePath(process.ppid), 'utf8')) as StoreUrls
  } catch (cause) {
    const message = 'No stores for this test: run it by `npm test -- <file>`, or set MONGO_URL and REDIS_URL.'
    throw new Error(message, { cause })
  }
}

/** The environment as it is for somebody who has given no stores: `npm start` brings its own. */
export function environmentWithoutStores (): NodeJS.ProcessEnv {
  const { MONGO_URL: _mongo, REDIS_URL: _redis, ...rest } = process.env
  return rest
}
