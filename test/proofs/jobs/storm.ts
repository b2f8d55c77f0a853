// P11: eight processes boot on one store at the same moment, again and again; every third time their leader is killed.
import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { dropPlace, newPlace, rig, until } from '../../jobs/rig.ts'
import { checkStorm } from '../../jobs/storm.ts'

type Say = (line: string) => void
interface Process { child: ChildProcessByStdio<Writable, Readable, null>, lines: Interface }

const count = 8

/** The processes of a storm; `round` answers what stands in the store after one. */
export async function openStorm (say: Say) {
  const all = await Promise.all(Array.from({ length: count }, launch))
  let rounds = 0

  async function round () {
    const place = newPlace()
    // Brings the indexes first, as `migrate` does before anything is started.
    const app = await rig({ place, role: 'server' })
    const slots = app.db.collection('jobs.slots')
    try {
      await Promise.all(all.map(async (one) => { await tell(one, JSON.stringify(place)) }))
      await until('slots of all schedules', async () => await slots.countDocuments() >= 400, 30_000)
      if (rounds++ % 3 === 0) {
        const lease = await app.db.collection<{ _id: string, holder: { pid: number } }>('jobs.leases')
          .findOne({ _id: 'jobs.keeper:0' })
        await replace(all.findIndex(({ child }) => child.pid === lease?.holder.pid))
        const seen = await slots.countDocuments()
        await until('slots of the next leader', async () => await slots.countDocuments() >= seen + 400, 30_000)
      }
      await Promise.all(all.map(async (one) => { await tell(one, '') }))
      return await checkStorm(app.db, 200)
    } finally {
      // What a killed process left open on the server would hold the database.
      await app.processes.killDead()
      await app.close()
      await dropPlace(place)
    }
  }

  async function replace (i: number): Promise<void> {
    const leader = all[i]
    if (leader === undefined) throw new Error('nobody leads')
    const exited = once(leader.child, 'exit')
    leader.child.kill('SIGKILL')
    await exited
    say(`killed the leader ${leader.child.pid ?? ''}`)
    all[i] = await launch()
  }

  return { round, close () { for (const { child } of all) child.kill('SIGKILL') } }
}

async function launch (): Promise<Process> {
  const child = spawn(process.execPath, [
    '--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'storm-process.ts')
  ], { stdio: ['pipe', 'pipe', 'inherit'] })
  const one = { child, lines: createInterface(child.stdout) }
  await answer(one)
  return one
}

async function tell (one: Process, line: string): Promise<void> {
  const answered = answer(one)
  one.child.stdin.write(`${line}\n`)
  await answered
}

async function answer ({ child, lines }: Process): Promise<void> {
  const ended = new AbortController()
  await Promise.race([
    once(lines, 'line', { signal: ended.signal }),
    once(child, 'exit', { signal: ended.signal }).then(() => { throw new Error('a process ended') })
  ]).finally(() => { ended.abort() })
}
