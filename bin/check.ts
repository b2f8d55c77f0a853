// `npm run check`: the gate, stopping at the first that fails.
import { spawnSync } from 'node:child_process'

const steps = [
  ['lock'], ['types'], ['lint'], ['arch'], ['unused'], ['generate', '--', '--check'], ['smoke'], ['test']
]

for (const [script = '', ...args] of steps) {
  const started = performance.now()
  process.stdout.write(`\n== ${script}\n`)
  const { status } = spawnSync('npm', ['run', '--silent', script, ...args], { stdio: ['ignore', 'inherit', 'inherit'] })
  if (status !== 0) {
    process.stderr.write(`The gate stops at ${script}.\n`)
    process.exit(1)
  }
  if (script !== 'test') process.stdout.write(`${script} ok, ${((performance.now() - started) / 1000).toFixed(1)} s\n`)
}
