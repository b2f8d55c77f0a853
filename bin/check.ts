// `npm run check`: the gate, stopping at the first that fails. `-- --all` goes on to the end; the tests are the last to
// speak, and the floors of what they covered say a word only where one is missed.
import { spawnSync } from 'node:child_process'

const covered = ['--no-disable-coverage', '--allow-incomplete-coverage', '--coverage-report=none']
const steps = [
  ['lock'], ['types'], ['lint'], ['arch'], ['unused'], ['generate', '--', '--check'], ['smoke'],
  ['test', '--', ...covered], ['floors']
]
const goesOn = process.argv.includes('--all')
const failed: string[] = []

for (const [script = '', ...args] of steps) {
  if (script === 'test' && failed.length > 0) process.stdout.write(`\nThe gate fails at ${failed.join(', ')}.\n`)
  const started = performance.now()
  // Nothing may follow the closing line of the tests on this stream.
  const isAfter = script === 'floors'
  if (!isAfter) process.stdout.write(`\n== ${script}\n`)
  const { status } = spawnSync('npm', ['run', '--silent', script, ...args], { stdio: ['ignore', 'inherit', 'inherit'] })
  if (status !== 0) {
    failed.push(script)
    if (!goesOn) break
  } else if (script !== 'test' && !isAfter) {
    process.stdout.write(`${script} ok, ${((performance.now() - started) / 1000).toFixed(1)} s\n`)
  }
}
if (failed.length > 0 && !goesOn) process.stderr.write(`The gate stops at ${failed.join()}.\n`)
process.exitCode = failed.length === 0 ? 0 : 1
