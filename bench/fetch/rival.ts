// The programs that people fetch files with, as they are installed here.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { installed } from '../../bin/services/packages.ts'

const packages = { curl: 'curl', aria2c: 'aria2', sha256sum: 'coreutils' } as const

/** Installs what is missing; throws one sentence where that is not possible. */
export function findRivals (): void {
  const missing = Object.entries(packages).filter(([program]) => !isThere(program)).map(([, name]) => name)
  if (missing.length === 0) return
  try {
    installed(missing, (line) => { process.stderr.write(`${line}\n`) })
  } catch (cause) {
    throw new Error(`This bench compares with ${missing.join(' and ')}: install them and run it again ` +
      `(${(cause as Error).message}).`, { cause })
  }
}

function isThere (program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined
}

/** curl to a file, hashed as it comes; answers the hash. */
export async function byCurl (url: string, path: string): Promise<string> {
  const out = await run('sh', ['-c', 'curl -sS --fail "$0" | tee "$1" | sha256sum', url, path])
  rmSync(path)
  return out.slice(0, 64)
}

/** aria2 with so many connections; it checks the hash itself. */
export async function byAria2 (
  url: string, path: string, { connections, sha256 }: { connections: number, sha256?: string }
): Promise<void> {
  await run('aria2c', [
    '--quiet', '--no-conf', '--file-allocation=none', '--allow-overwrite=true', '--auto-file-renaming=false',
    `--max-connection-per-server=${connections}`, `--split=${connections}`, '--min-split-size=1M',
    ...(sha256 === undefined ? [] : [`--checksum=sha-256=${sha256}`]),
    `--dir=${dirname(path)}`, `--out=${basename(path)}`, url
  ])
  rmSync(path)
}

async function run (program: string, args: string[]): Promise<string> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let out = ''
  child.stdout.on('data', (text: Buffer) => { out += text.toString() })
  const [code] = await once(child, 'close') as [number | null]
  if (code !== 0) throw new Error(`${program} ended with ${code}`)
  return out
}
