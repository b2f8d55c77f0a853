import { spawnSync } from 'node:child_process'
import type { Say } from './program.ts'

/** Installs Debian packages when that is possible without asking anybody: as root on a system with apt-get. */
export function installed (packages: string[], say: Say): boolean {
  if (process.getuid?.() !== 0) throw new Error('needs root')
  if (spawnSync('apt-get', ['--version']).status !== 0) throw new Error('no apt-get here')
  say(`Installing ${packages.join(' and ')} with apt-get.`)
  return apt('update') && apt('install', '-y', '--no-install-recommends', ...packages)
}

function apt (...args: string[]): boolean {
  const { status, stderr } = spawnSync('apt-get', ['-qq', ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    timeout: 300_000
  })
  if (status === 0) return true
  throw new Error(stderr.trim().split('\n').at(-1) ?? `exit code ${status}`)
}
