// `npm run floors`: how much of the rooms the tests of `npm run check` reached; silent while every floor holds.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Report } from 'c8'

type Share = 'lines' | 'statements' | 'functions' | 'branches'
type Sums = Record<Share, { total: number, covered: number }>

/** Per cent of what is there, by where it lies. */
const floors: Array<{ of: string, matches: RegExp, least: Record<Share, number> }> = [
  { of: 'everything', matches: /./, least: { lines: 90, statements: 90, functions: 80, branches: 80 } },
  { of: 'the kernel', matches: /src\/kernel\//, least: { lines: 95, statements: 95, functions: 90, branches: 90 } }
]

const root = join(import.meta.dirname, '..')
const folder = mkdtempSync(join(tmpdir(), 'switchyard-coverage-'))
try {
  await new Report({
    tempDirectory: join(root, '.tap/coverage'),
    reportsDirectory: folder,
    reporter: ['json-summary'],
    include: ['src', 'plugins', 'routes', 'workers'].map((room) => `${room}/**`)
  }).run()
  const files = JSON.parse(readFileSync(join(folder, 'coverage-summary.json'), 'utf8')) as Record<string, Sums>
  const missed = floors.flatMap((floor) => missedBy(floor, files))
  for (const sentence of missed) process.stderr.write(`${sentence}\n`)
  process.exitCode = missed.length === 0 ? 0 : 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function missedBy ({ of, matches, least }: typeof floors[number], files: Record<string, Sums>): string[] {
  const looked = Object.entries(files).filter(([name]) => name !== 'total' && matches.test(name))
  if (looked.length === 0) return [`Nothing of ${of} was looked at.`]
  return (Object.keys(least) as Share[]).flatMap((share) => {
    const total = looked.reduce((sum, [, sums]) => sum + sums[share].total, 0)
    const covered = looked.reduce((sum, [, sums]) => sum + sums[share].covered, 0)
    const percent = Math.floor(covered / total * 1000) / 10
    const isMet = percent >= least[share]
    return isMet ? [] : [`The tests reach ${percent} % of the ${share} of ${of}; at least ${least[share]} % are asked.`]
  })
}
