import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { generatedFiles } from '../openapi/documents.ts'
import { asyncapiProblems, openapiProblems } from '../openapi/validate.ts'
import { envVariables, type EnvVariable } from '../src/config/index.ts'

const root = join(import.meta.dirname, '..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const files = await generatedFiles()
const openapi = JSON.parse(files.get('openapi/openapi.json') as string)
const asyncapi = JSON.parse(files.get('openapi/asyncapi.json') as string)

t.test('every generated file is as the code says', async (t) => {
  for (const [path, text] of files) t.equal(read(path) === text, true, `${path}: run npm run generate`)
})

t.test('both documents are valid, and a broken one is not', async (t) => {
  t.same(await openapiProblems(JSON.stringify(openapi)), [])
  t.same(asyncapiProblems(asyncapi), [])
  const broken = structuredClone(openapi)
  delete broken.info.title
  t.not((await openapiProblems(JSON.stringify(broken))).length, 0)
  t.same(asyncapiProblems({ a: { $ref: '#/b/c' } }), ['#/b/c leads nowhere'])
})

t.test('every operation says who may, how often, and what can go wrong', async (t) => {
  const operations = Object.entries<Record<string, Record<string, unknown>>>(openapi.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ name: `${method} ${path}`, operation })))
  t.ok(operations.length > 30)
  for (const { name, operation } of operations) {
    t.ok(operation['x-limit'], `${name} has a limit`)
    t.ok(Array.isArray(operation['security']), `${name} says which proof it takes`)
    const responses = operation['responses'] as Record<string, { $ref?: string }>
    t.equal(responses['429']?.$ref, '#/components/responses/RateLimited', name)
    t.ok(Object.keys(responses).some((status) => /^[23]/.test(status)), `${name} can succeed`)
  }
})

t.test('components have names, and no shape stands in the document twice', async (t) => {
  for (const name of Object.keys(openapi.components.schemas)) t.match(name, /^[A-Z][A-Za-z0-9]+$/)
  t.ok(openapi.components.schemas.Problem)
  t.notMatch(JSON.stringify(openapi), /"\$ref":"[A-Z][A-Za-z]+#/, 'every reference leads into the document')
})

t.test('every error code is documented, and every documented one exists in the sources', async (t) => {
  const documented = [...(files.get('docs/errors.md') as string).matchAll(/^\| `([a-z]+\.[a-z_]+)` \|/gm)].map(
    ([, code]) => code as string
  )
  t.ok(documented.length > 60)
  t.same(documented, [...new Set(documented)])
  const sources = globSync('{src,plugins}/**/*.ts', { cwd: root }).map(read).join('\n')
  for (const code of documented) {
    const [, key = ''] = code.split('.')
    t.match(sources, new RegExp(`\\b${key}\\b`), code)
  }
})

t.test('the live document has every declared topic and frame', async (t) => {
  t.equal(asyncapi.asyncapi, '3.0.0')
  const topics = Object.entries<{
    'x-hub'?: { class: string }, messages: object
  }>(asyncapi.channels).filter(([name]) => name !== 'live')
  t.ok(topics.length >= 4)
  for (const [name, channel] of topics) {
    t.match(channel['x-hub'], { class: /^(event|state|durable)$/ }, name)
    t.ok(Object.keys(channel.messages).length > 0, name)
  }
  for (
    const name of ['connect', 'sub', 'unsub', 'refresh', 'pubFrame', 'byeFrame']
  ) t.ok(asyncapi.operations[name], name)
})

t.test('every variable is in the example and in the table, and no secret has a value there', async (t) => {
  const example = files.get('.env.example') as string
  const table = files.get('docs/configuration.md') as string
  for (const { name, isSecret } of envVariables as readonly EnvVariable[]) {
    t.match(example, new RegExp(`^#${name}=`, 'm'))
    t.match(table, new RegExp(`\\| \`${name}\` \\|`))
    if (isSecret === true) t.match(example, new RegExp(`^#${name}=$`, 'm'))
  }
})
