// `npm run generate`: writes every generated file; `-- --check` writes nothing and fails where one differs.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { generatedFiles } from './documents.ts'
import { asyncapiProblems, openapiProblems } from './validate.ts'

const root = join(import.meta.dirname, '..')
const isCheck = process.argv.includes('--check')

const files = await generatedFiles()
const problems = [
  ...(await openapiProblems(files.get('openapi/openapi.json') as string)).map((one) => `openapi.json ${one}`),
  ...asyncapiProblems(JSON.parse(files.get('openapi/asyncapi.json') as string)).map((one) => `asyncapi.json ${one}`)
]
for (const problem of problems) process.stderr.write(`${problem}\n`)

const different: string[] = []
for (const [path, text] of files) {
  const present = await readFile(join(root, path), 'utf8').catch(() => '')
  if (present === text) continue
  different.push(path)
  if (isCheck) continue
  await mkdir(dirname(join(root, path)), { recursive: true })
  await writeFile(join(root, path), text)
}

if (isCheck && different.length > 0) {
  process.stderr.write(`not as generated: ${different.join(', ')}; run npm run generate\n`)
} else {
  process.stdout.write(
    different.length === 0 ? `${files.size} generated files are up to date\n` : `wrote ${different.join(', ')}\n`
  )
}
if (problems.length > 0 || (isCheck && different.length > 0)) process.exitCode = 1
