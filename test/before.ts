// Once for a run: starts the stores in a process of their own, which ends when the runner is gone, however that ended.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { urlsFromEnvironment } from './stores.ts'

if (urlsFromEnvironment() === undefined) await startHolder()

async function startHolder (): Promise<void> {
  const holder = spawn(process.execPath, [
    '--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'holder.ts'), String(process.ppid)
  ], { detached: true, stdio: ['ignore', 'ignore', 'inherit', 'ipc'], env: withoutCoverage() })
  const [answer] = await Promise.race([once(holder, 'message'), once(holder, 'exit')]) as [unknown]
  if (answer !== 'ready') process.exit(1)
  holder.disconnect()
  holder.unref()
}

/** The holder may end after the run has: what it would write then, the next run would take for coverage of its own. */
function withoutCoverage (): NodeJS.ProcessEnv {
  return { ...process.env, _TAPJS_PROCESSINFO_COVERAGE_: '0' }
}
