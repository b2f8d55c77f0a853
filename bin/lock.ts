// `npm run lock`: the lock names no registry, and lists the optional packages of every platform, which npm leaves out
// of such a lock, so that `npm ci` works elsewhere too. `-- --fix` adds what is missing.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

interface Entry {
  version?: string
  resolved?: string
  link?: boolean
  optional?: boolean
  optionalDependencies?: Record<string, string>
}
interface Lock { packages: Record<string, Entry> }
interface Missing { name: string, range: string, of: string }

const file = join(import.meta.dirname, '../package-lock.json')
const lock = JSON.parse(readFileSync(file, 'utf8')) as Lock

const named = Object.entries(lock.packages).filter(([, { resolved, link }]) => resolved !== undefined && link !== true)
const missing = Object.entries(lock.packages).flatMap(([path, entry]) => missingOf(path, entry))

if (process.argv.includes('--fix')) fix()
else report()

function missingOf (path: string, { optionalDependencies = {} }: Entry): Missing[] {
  return Object.entries(optionalDependencies)
    .filter(([name]) => !isListed(path, name))
    .map(([name, range]) => ({ name, range, of: path === '' ? 'the product' : path }))
}

/** Looks where Node would: beside the package, then a level up, to the root. */
function isListed (path: string, name: string): boolean {
  const place = path === '' ? `node_modules/${name}` : `${path}/node_modules/${name}`
  if (lock.packages[place] !== undefined) return true
  return path !== '' && isListed(path.slice(0, Math.max(0, path.lastIndexOf('/node_modules/'))), name)
}

function report (): void {
  for (const [path] of named) process.stdout.write(`${path} names its registry\n`)
  for (const { name, range, of } of missing) process.stdout.write(`${name}@${range} of ${of} is not in the lock\n`)
  const problems = named.length + missing.length
  if (problems > 0) process.stdout.write('Mend it by `npm run lock -- --fix`.\n')
  process.stdout.write(`${Object.keys(lock.packages).length} packages, ${problems} problems\n`)
  process.exitCode = problems === 0 ? 0 : 1
}

function fix (): void {
  for (const [, entry] of named) delete entry.resolved
  for (const one of missing) lock.packages[`node_modules/${one.name}`] = lookUp(one)
  const sorted = Object.entries(lock.packages).toSorted(([a], [b]) => a < b ? -1 : 1)
  writeFileSync(file, `${JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, null, 2)}\n`)
  process.stdout.write(`${missing.length} packages added, ${named.length} registries left out\n`)
}

function lookUp ({ name, range }: Missing): Entry {
  const fields = ['version', 'os', 'cpu', 'libc', 'engines', 'license']
  const answer = JSON.parse(execFileSync('npm', ['view', `${name}@${range}`, ...fields, 'dist.integrity', '--json'], {
    encoding: 'utf8'
  })) as Record<string, unknown> | Record<string, unknown>[]
  const { 'dist.integrity': integrity, ...rest } = (Array.isArray(answer) ? answer.at(-1) : answer) ?? {}
  return { ...rest, ...(integrity !== undefined && { integrity }), optional: true }
}
