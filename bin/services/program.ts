import { spawnSync } from 'node:child_process'

/** Tells a person one line of what is going on. */
export type Say = (line: string) => void

/** The major version that the program says of itself; undefined when it does not run here. */
export function majorOf (path: string): number | undefined {
  const { stdout, status } = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: 10_000 })
  const version = status === 0 ? /v(?:=|ersion v?)?\s?(\d+)\.\d+/.exec(stdout) : null
  return version === null ? undefined : Number(version[1])
}
