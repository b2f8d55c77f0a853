// Once for a run: starts the stores in a process of their own, which ends when the runner is gone, however that ended.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { urlsFromEnvironment } from './stores.ts'

if (urlsFromEnvironment() === undefined) await startHolder()

async function startHolder (): Promise<void> {
  const holder = spawn(process.execPath, [
    '--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'holder.ts'), String(process.ppid)
  ], { detached: true, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const [answer] = await Promise.race([once(holder, 'message'), once(holder, 'exit')]) as [unknown]
  if (answer !== 'ready') process.exit(1)
  holder.disconnect()
  holder.unref()
}
