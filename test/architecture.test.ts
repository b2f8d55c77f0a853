import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { cruise, type ICruiseOptions, type ICruiseResult, type IForbiddenRuleType } from 'dependency-cruiser'
import t from 'tap'

interface Arrows { forbidden: IForbiddenRuleType[], options: ICruiseOptions }

const root = join(import.meta.dirname, '..')
const { default: config } = await import(join(root, '.dependency-cruiser.js')) as { default: Arrows }
const rooms = ['src', 'plugins', 'routes', 'workers', 'openapi', 'bin', 'test', 'bench', 'web']
const sources = rooms.flatMap((room) => globSync(`${room}/**/*.ts`, { cwd: root }))

/** A house in which every file breaks one rule. */
const broken: Record<string, Record<string, string>> = {
  'no-cycles': { 'src/social/a.ts': "import './b.ts'", 'src/social/b.ts': "import './a.ts'" },
  'no-orphans': { 'src/social/lonely.ts': 'export const lonely = 1' },
  resolvable: { 'src/social/service.ts': "import './nowhere.ts'" },
  'kernel-stands-alone': { 'src/kernel/index.ts': "import '../social/index.ts'", 'src/social/index.ts': '' },
  'config-knows-kernel': { 'src/config/index.ts': "import '../social/index.ts'", 'src/social/index.ts': '' },
  'slices-know-no-domain': { 'src/jobs/index.ts': "import '../social/index.ts'", 'src/social/index.ts': '' },
  'neighbours-use-the-door': { 'src/social/service.ts': "import '../media/service.ts'", 'src/media/service.ts': '' },
  'src-knows-no-framework': { 'src/social/service.ts': "import '../../plugins/mail.ts'", 'plugins/mail.ts': '' },
  'only-repositories-speak-mongodb': {
    'src/social/service.ts': "import type { Db } from 'mongodb'", 'node_modules/mongodb/index.js': ''
  },
  'capabilities-know-no-domain': { 'plugins/mail.ts': "import '../src/social/index.ts'", 'src/social/index.ts': '' },
  'capabilities-know-config-types': {
    'plugins/mail.ts': "import { loadConfig } from '../src/config/index.ts'", 'src/config/index.ts': ''
  },
  'most-capabilities-know-no-slice': { 'plugins/mail.ts': "import '../src/jobs/index.ts'", 'src/jobs/index.ts': '' },
  'capability-knows-slice-jobs': { 'plugins/queue.ts': "import '../src/fetch/index.ts'", 'src/fetch/index.ts': '' },
  'capabilities-use-the-door': { 'plugins/queue.ts': "import '../src/jobs/rows.ts'", 'src/jobs/rows.ts': '' },
  'plugins-bind-nothing': { 'plugins/mail.ts': "import '../routes/live.ts'", 'routes/live.ts': '' },
  'domain-plugins-use-the-door': {
    'plugins/domains/social.ts': "import '../../src/social/service.ts'", 'src/social/service.ts': ''
  },
  'domain-plugins-know-types-of-neighbours': {
    'plugins/domains/social.ts': "import '../../src/media/index.ts'", 'src/media/index.ts': ''
  },
  'routes-know-their-own-domain': {
    'routes/social/posts.ts': "import '../../src/media/index.ts'", 'src/media/index.ts': ''
  },
  'workers-know-their-own-domain': { 'workers/social.ts': "import '../src/media/index.ts'", 'src/media/index.ts': '' },
  'bindings-see-no-capability-file': { 'workers/social.ts': "import '../plugins/mail.ts'", 'plugins/mail.ts': '' },
  'routes-and-workers-are-strangers': { 'routes/live.ts': "import '../workers/social.ts'", 'workers/social.ts': '' },
  'workers-and-routes-are-strangers': { 'workers/social.ts': "import '../routes/live.ts'", 'routes/live.ts': '' },
  'the-order-of-the-house-is-for-entrypoints': {
    'routes/live.ts': "import '../plugins/index.ts'", 'plugins/index.ts': ''
  },
  'only-the-top-imports-the-top': { 'src/social/service.ts': "import '../../bin/start.ts'", 'bin/start.ts': '' },
  'web-stands-alone': { 'web/console/main.ts': "import '../../src/kernel/ids.ts'", 'src/kernel/ids.ts': '' },
  'pages-are-files': { 'plugins/pages.ts': "import '../web/console/main.ts'", 'web/console/main.ts': '' }
}

for (const [rule, files] of Object.entries(broken)) {
  t.test(`the arrows know: ${rule}`, async (t) => {
    t.ok((await violations(t.testdir(tree(files)))).includes(rule))
  })
}

t.test('no repository catches a duplicate key while it holds a session: that transaction is aborted', async (t) => {
  const repositories = sources.filter((file) => /^src\/.*repository/.test(file))
  t.ok(repositories.length > 0)
  const catching = repositories.filter((file) => functionsThatCatchDuplicates(read(file)).some(holdsSession))
  t.same(catching, [])
})

t.test('no collection begins with the prefix that MongoDB keeps for itself', async (t) => {
  const speakers = sources.filter((file) => /^(src|plugins)\//.test(file))
  t.same(speakers.filter((file) => /(collection(<.*>)?\(|name: )'system\./.test(read(file))), [])
})

t.test('no file is named after nothing', async (t) => {
  const empty = /^(utils?|helpers?|common|misc|manager|data|info)\.ts$/
  t.same(sources.filter((file) => empty.test(basename(file)) && file !== 'test/helper.ts'), [])
})

t.test('nothing but the proofs reads outside the repository', async (t) => {
  const outside = sources.filter((file) => file.startsWith('test/') && !file.startsWith('test/proofs/'))
  t.same(outside.filter((file) => /['"`/]\.\.\/shared\//.test(read(file))), [])
})

function read (file: string): string {
  return readFileSync(join(root, file), 'utf8')
}

function tree (files: Record<string, string>): Record<string, never> {
  const top: Record<string, unknown> = { 'tsconfig.json': '{}', 'package.json': '{"type":"module"}' }
  for (const [path, content] of Object.entries(files)) {
    const names = path.split('/')
    const folder = names.slice(0, -1).reduce<Record<string, unknown>>((at, name) => {
      return (at[name] ??= {}) as Record<string, unknown>
    }, top)
    folder[names.at(-1) ?? ''] = `${content}\n`
  }
  return top as Record<string, never>
}

function holdsSession (text: string): boolean {
  return /\bsession\b/i.test(text)
}

/** From the head of a function to the line that names the code. */
function functionsThatCatchDuplicates (text: string): string[] {
  const lines = text.split('\n')
  return lines.flatMap((line, at) => {
    if (!/\b11000\b/.test(line)) return []
    const head = lines.findLastIndex((before, index) => index < at && /^\s*(async |export |function )/.test(before))
    return [lines.slice(head, at + 1).join('\n')]
  })
}

async function violations (house: string): Promise<string[]> {
  const { forbidden, options } = config
  const { output } = await cruise(['.'], { ...options, baseDir: house, validate: true, ruleSet: { forbidden } })
  return (output as ICruiseResult).summary.violations.map(({ rule }) => rule.name)
}
