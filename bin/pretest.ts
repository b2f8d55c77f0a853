// tap compiles its list of plugins into a class; an install brings it with a loader that fails with this TypeScript.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const built = join(root, 'node_modules/@tapjs/test/test-built/dist/esm/index.js')

if (!existsSync(built) || readFileSync(built, 'utf8').includes('@tapjs/typescript')) {
  const { status } = spawnSync('tap', ['build'], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })
  process.exitCode = status ?? 1
}
