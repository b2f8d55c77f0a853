// `npm run bench -- live`: CPU of the server per delivery, 1 publication to 1,000 sockets, 200 bytes, against the loop
// that everybody writes first over bare ws, and against a room of Socket.IO (installed here, never a dependency).
import { fork, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startServices } from '../bin/services.ts'
import { interleave, report, type Measured, type Verdict } from './measure.ts'

const audience = 1000
const publications = Number(process.argv[2] ?? 200)
const peerVersion = '4.8.1'
const dir = mkdtempSync(join(tmpdir(), 'switchyard-bench-'))
const { MONGO_URL, REDIS_URL } = process.env
const isGiven = MONGO_URL !== undefined && REDIS_URL !== undefined
const stores = isGiven ? undefined : await startServices({ dir, persist: false })
const urls = { MONGO_URL: MONGO_URL ?? stores?.mongoUrl, REDIS_URL: REDIS_URL ?? stores?.redisUrl }
const env = { ...process.env, ...urls } as NodeJS.ProcessEnv

function start (file: string, args: string[]): ChildProcess {
  return fork(join(import.meta.dirname, 'live', file), args, {
    env, stdio: ['ignore', 'ignore', 'inherit', 'ipc'], execArgv: ['--disable-warning=ExperimentalWarning']
  })
}

async function ask<T> (child: ChildProcess, question: object): Promise<T> {
  const answer = once(child, 'message') as Promise<[T]>
  child.send(question)
  return (await answer)[0]
}

/** Folder where Socket.IO is, or null where it cannot be had. */
function peer (): string | null {
  const folder = join(import.meta.dirname, '../node_modules/.cache/bench-live')
  if (existsSync(join(folder, 'node_modules/socket.io'))) return folder
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{"private":true}\n')
  const args = ['install', '-E', '--no-audit', '--no-fund', '--ignore-scripts', `socket.io@${peerVersion}`]
  const { status } = spawnSync('npm', args, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
  return status === 0 ? folder : null
}

const sink = start('sink.ts', [])
const servers = new Map<string, ChildProcess>()

async function open (arm: string, args: string[] = []): Promise<void> {
  const child = start('server.ts', [arm, ...args])
  servers.set(arm, child)
  const [{ url }] = await once(child, 'message') as [{ url: string }]
  await ask(sink, { open: arm, url, audience })
}

/** Microseconds of user and system time of the server per delivery. */
async function measure (arm: string): Promise<number> {
  const child = servers.get(arm) as ChildProcess
  const { count: before } = await ask<{ count: number }>(sink, { count: arm })
  const { cpu: from } = await ask<{ cpu: number }>(child, { cpu: true })
  await ask(child, { publish: publications })
  const wanted = before + publications * audience
  for (let tries = 0; ; tries++) {
    const { count } = await ask<{ count: number }>(sink, { count: arm })
    if (count === wanted) break
    if (count > wanted || tries > 600) throw new Error(`${arm}: ${count - before} of ${wanted - before} deliveries`)
    await sleep(50)
  }
  const { cpu: to } = await ask<{ cpu: number }>(child, { cpu: true })
  return (to - from) / (publications * audience)
}

try {
  const folder = peer()
  await open('ws')
  await open('ours')
  if (folder !== null) await open('socket.io', [folder])
  const arms = [...servers.keys()].map((name) => ({ name, run: async () => await measure(name) }))
  const measured = await interleave(arms)
  const ours = measured.get('ours') as Measured
  const common = { unit: 'µs/delivery', ours }
  const verdicts: Verdict[] = [{
    id: 'G1',
    what: '1 to 1,000 sockets, event with offsets through Redis',
    ...common,
    baseline: measured.get('ws') as Measured,
    must: { atMost: 1.2 },
    goal: 0.9
  }]
  const notes: string[] = []
  if (folder === null) notes.push('G2 is missing: Socket.IO could not be installed.')
  else {
    const baseline = measured.get('socket.io') as Measured
    verdicts.push({ id: 'G2', what: 'the same', ...common, baseline, must: { atMost: 1 }, goal: 0.7 })
  }
  report('live', verdicts, notes)
} finally {
  for (const child of [...servers.values(), sink]) {
    if (child.exitCode === null) {
      child.send({ stop: true })
      await once(child, 'exit')
    }
  }
  await stores?.stop()
  rmSync(dir, { recursive: true, force: true })
}
