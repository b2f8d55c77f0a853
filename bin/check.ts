// `npm run check`: the gate, stopping at the first that fails. `-- --all` goes on to the end, and the tests come last.
import { spawnSync } from 'node:child_process'

const steps = [
  ['lock'], ['types'], ['lint'], ['arch'], ['unused'], ['generate', '--', '--check'], ['smoke'], ['test']
]
const goesOn = process.argv.includes('--all')
const failed: string[] = []

for (const [script = '', ...args] of steps) {
  if (script === 'test' && failed.length > 0) process.stdout.write(`\nThe gate fails at ${failed.join(', ')}.\n`)
  const started = performance.now()
  process.stdout.write(`\n== ${script}\n`)
  const { status } = spawnSync('npm', ['run', '--silent', script, ...args], { stdio: ['ignore', 'inherit', 'inherit'] })
  if (status !== 0) {
    failed.push(script)
    if (!goesOn) break
  } else if (script !== 'test') {
    process.stdout.write(`${script} ok, ${((performance.now() - started) / 1000).toFixed(1)} s\n`)
  }
}
// Nothing may follow the closing line of the tests.
if (failed.length > 0 && !goesOn) process.stderr.write(`The gate stops at ${failed.join()}.\n`)
process.exitCode = failed.length === 0 ? 0 : 1
