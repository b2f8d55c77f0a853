import { createHash } from 'node:crypto'
import { readFileSync, readdirSync, existsSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { extname, join, posix } from 'node:path'
import { createCompressed, type Compressed } from './compress.ts'
import { vendored, vendoredFiles } from './vendor.ts'

const root = join(import.meta.dirname, '../../..')

const types: Record<string, string> = {
  '.ts': 'text/javascript; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.json': 'application/json; charset=utf-8'
}

export interface PageFile { type: string, send: Compressed }

/** Files of our pages by their path below the hash: `console/main.ts`, `client/...`, `vendor/htm/dist/htm.mjs`. */
export interface PageFiles {
  /** Of everything together: a change of one file gives all of them new addresses, and imports stay relative. */
  hash: string
  get (path: string): PageFile | undefined
  /** What an entry imports before it runs, itself first; what it imports later, on demand, is not among it. */
  modulesOf (entry: string): string[]
}

export function readPageFiles (): PageFiles {
  const sources = new Map([...webSources(), ...vendorSources()])
  const digest = createHash('sha256')
  const inOrder = [...sources].sort(([a], [b]) => a < b ? -1 : 1)
  for (const [path, bytes] of inOrder) digest.update(path).update('\0').update(bytes)
  const ready = new Map<string, PageFile>()
  return {
    hash: digest.digest('hex').slice(0, 16),
    get (path) {
      const source = sources.get(path)
      if (source === undefined) return undefined
      const file = ready.get(path) ?? toFile(path, source)
      ready.set(path, file)
      return file
    },
    modulesOf (entry) {
      const found = new Set([entry])
      for (const path of found) {
        for (const name of importsOf(sources.get(path)?.toString() ?? '')) found.add(addressOf(name, path))
      }
      return [...found].filter((path) => sources.has(path))
    }
  }
}

/** The page of the console as it lies in `web/console`; undefined where there is none. */
export function readConsolePage (): string | undefined {
  const file = join(root, 'web/console/index.html')
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined
}

function importsOf (source: string): string[] {
  return [...source.matchAll(/^(?:import|export) (?!type )[^'"]*?(?:from )?['"]([^'"]+)['"]/gm)].map(([, name = '']) => name)
}

function addressOf (name: string, from: string): string {
  return name.startsWith('.') ? posix.join(posix.dirname(from), name) : `vendor/${vendored[name] ?? ''}`
}

function toFile (path: string, source: Buffer): PageFile {
  const extension = extname(path)
  const body = extension === '.ts' ? Buffer.from(stripTypeScriptTypes(source.toString())) : source
  return { type: types[extension] as string, send: createCompressed(body) }
}

function webSources (): Array<[string, Buffer]> {
  return ['console', 'client'].flatMap((folder) => {
    const base = join(root, 'web', folder)
    if (!existsSync(base)) return []
    const entries = readdirSync(base, { recursive: true, withFileTypes: true })
    const served = entries.filter((entry) => entry.isFile() && types[extname(entry.name)] !== undefined)
    return served.map((entry): [string, Buffer] => {
      const path = join(entry.parentPath, entry.name)
      return [`${folder}${path.slice(base.length)}`, readFileSync(path)]
    })
  })
}

function vendorSources (): Array<[string, Buffer]> {
  return [...Object.values(vendored), ...vendoredFiles].map((path) =>
    [`vendor/${path}`, readFileSync(join(root, 'node_modules', path))])
}
