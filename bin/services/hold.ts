// A holder is a shell that reads its parent's pipe and stops the store at end of file, so a store never outlives its
// parent, however that ended.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { statSync, truncateSync } from 'node:fs'
import { once } from 'node:events'

// The reader is a process of its own: it ends the store also when the holder itself was killed, since the parent then
// closes the pipe. A parent that is gone never asked: its other children use the store to the end, and get 2 seconds.
// 25 seconds are more than a clean shutdown of MongoDB takes.
const holderScript = `
log=$1; shift
exec 3<&0
"$@" </dev/null 3<&- >>"$log" 2>&1 &
store=$!
echo "$store"
exec >/dev/null 2>&1
(
  asked=
  while read -r line <&3; do asked=$line; done
  [ -n "$asked" ] || sleep 2
  kill -TERM "$store"; left=250
  while kill -0 "$store" && [ "$left" -gt 0 ]; do sleep 0.1; left=$((left - 1)); done
  kill -KILL "$store"
) &
reader=$!
exec 3<&-
trap 'kill -TERM "$store"' TERM INT HUP
wait "$store"; code=$?
while kill -0 "$store"; do wait "$store"; code=$?; done
kill -KILL "$reader"
exit "$code"
`

export interface Held {
  pid: number
  child: ChildProcess
  /** Settles when the store has ended, with its exit code (128 and more: a signal). */
  exited: Promise<number>
  /** Ends the store in good order and waits for it. */
  stop: () => Promise<void>
}

/** Starts a store under a holder of its own session; its output goes to the end of `log`. */
export async function hold (command: readonly string[], log: string): Promise<Held> {
  trim(log)
  const child = spawn('sh', ['-c', holderScript, 'holder', log, ...deathSignal(), ...command], {
    detached: true, stdio: ['pipe', 'pipe', 'ignore']
  })
  const exited = once(child, 'exit').then(([code]: (number | null)[]) => code ?? 137)
  child.stdin.on('error', () => { child.stdin.destroy() })
  void exited.then(() => { child.stdin.destroy() })
  const [line] = await once(createInterface({ input: child.stdout }), 'line') as [string]
  return {
    pid: Number(line),
    child,
    exited,
    async stop () {
      child.stdin.end('stop\n')
      await exited
    }
  }
}

let hasDeathSignal: boolean | undefined

/** In addition, where the system can: the kernel tells the store when its holder is gone. */
function deathSignal (): string[] {
  hasDeathSignal ??= spawnSync('setpriv', ['--pdeathsig', 'TERM', 'true']).status === 0
  return hasDeathSignal ? ['setpriv', '--pdeathsig', 'TERM', '--'] : []
}

function trim (log: string): void {
  const size = statSync(log, { throwIfNoEntry: false })?.size ?? 0
  if (size > 10_000_000) truncateSync(log)
}
