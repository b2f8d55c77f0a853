// `npm run arch`: the arrows of the house. It counts what was looked at: a tool that sees nothing finds nothing.
import { spawnSync } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
import { join } from 'node:path'

interface Violation { from: string, to: string, rule: { name: string }, cycle?: { name: string }[] }
interface Report { modules: { source: string }[], summary: { violations: Violation[] } }

/** Raised by hand as the house grows; fewer files mean that the tool went blind. */
const floor = 560

const root = join(import.meta.dirname, '..')
const rooms = ['src', 'plugins', 'routes', 'workers', 'openapi', 'bin', 'test', 'bench', 'web']
  .filter((room) => existsSync(join(root, room)))

const { stdout, stderr } = spawnSync('depcruise', [
  ...rooms, '--config', '.dependency-cruiser.js', '--output-type', 'json'
], { cwd: root, encoding: 'utf8', maxBuffer: 500_000_000 })
if (stdout === '') throw new Error(`dependency-cruiser said nothing: ${stderr}`)
const { modules, summary } = JSON.parse(stdout) as Report

const seen = new Set(modules.map(({ source }) => source))
const ours = rooms.flatMap((room) => globSync(`${room}/**/*.ts`, { cwd: root }))
const problems = [
  ...summary.violations.map(sentence),
  ...ours.filter((file) => !seen.has(file)).map((file) => `${file} was not looked at`)
]
if (ours.length < floor) problems.push(`${ours.length} files were looked at, and there are ${floor} at least`)

for (const problem of problems) process.stdout.write(`${problem}\n`)
process.stdout.write(`${ours.length} files, ${problems.length} broken arrows\n`)
process.exitCode = problems.length === 0 ? 0 : 1

function sentence ({ rule, from, to, cycle }: Violation): string {
  const way = cycle === undefined ? to : cycle.map(({ name }) => name).join(' -> ')
  return `${rule.name}: ${from} -> ${way}`
}
