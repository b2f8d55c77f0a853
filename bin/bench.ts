// `npm run bench -- <name>` runs bench/<name>.ts with the arguments that follow.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, globSync } from 'node:fs'
import { basename, join } from 'node:path'

const folder = join(import.meta.dirname, '../bench')
const [name = '', ...args] = process.argv.slice(2)
const file = join(folder, `${name}.ts`)

if (/^[a-z][a-z0-9-]*$/.test(name) && existsSync(file)) {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', file, ...args], { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => { child.kill(signal) })
  const [code] = await once(child, 'exit') as [number | null]
  process.exitCode = code ?? 1
} else {
  const names = globSync('*.ts', { cwd: folder }).map((found) => basename(found, '.ts')).toSorted()
  process.stderr.write(`Which bench? npm run bench -- <name>, of: ${names.join(', ') || 'none yet'}.\n`)
  process.exitCode = 1
}
