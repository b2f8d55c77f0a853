// Every code of these slices is made somewhere and met by a test: a code that nobody throws is a promise to nobody.
import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import t from 'tap'
import { FetchError } from '../../src/fetch/index.ts'
import { JobsError } from '../../src/jobs/index.ts'

const root = join(import.meta.dirname, '../..')

/** All that these files say, one text; those that only declare codes are left out, and so is this one. */
function textOf (...patterns: string[]): string {
  const left = ['errors.ts', basename(import.meta.filename)]
  return patterns.flatMap((pattern) => globSync(pattern, { cwd: root }))
    .filter((file) => !left.includes(basename(file)))
    .map((file) => readFileSync(join(root, file), 'utf8')).join('\n')
}

const slices = [
  { domain: 'jobs', table: JobsError, made: textOf('{src,plugins}/**/*.ts'), asked: textOf('test/jobs/*.ts') },
  {
    domain: 'fetch', table: FetchError, made: textOf('{src,plugins}/fetch/**/*.ts', 'plugins/fetch.ts'),
    asked: textOf('test/fetch/*.ts', 'test/stand-ins/hostility.ts')
  }
]

for (const { domain, table, made, asked } of slices) {
  const name = `${domain.charAt(0).toUpperCase()}${domain.slice(1)}Error`
  // Some of fetch are found by their key: `FetchError[key]`.
  const byKey = made.includes(`${name}[`) ? `(?:${domain}\\.)?` : `${domain}\\.`
  const isMade = (key: string): boolean => new RegExp(`\\b${name}\\.${key}\\b|'${byKey}${key}'`).test(made)
  const isAsked = (key: string): boolean =>
    new RegExp(`\\b${domain}\\.${key}\\b|'${key}'|\\b${name}\\.${key}\\b`).test(asked)

  t.test(`${domain}: no code is dead, and each has its test`, async (t) => {
    const keys = Object.keys(table)
    t.ok(keys.length >= 20)
    t.same(keys.filter((key) => !isMade(key)), [], 'nobody makes them')
    t.same(keys.filter((key) => !isAsked(key)), [], 'no test meets them')
    t.notOk(isMade('of_nobody') || isAsked('of_nobody'))
  })
}

t.test('the code of a boot that refuses its Redis', async (t) => {
  t.match(textOf('plugins/cache/*.ts'), /jobs\.redis_policy/)
  t.match(textOf('test/plugins/cache.test.ts'), /jobs\\\.redis_policy/)
})
