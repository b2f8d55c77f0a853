import { withContext, type Clock, type Log, type Session, type Tx } from '../../src/kernel/index.ts'
import type { ClaimRepository } from '../../src/jobs/index.ts'
import { createBatcher } from './batcher.ts'
import type { Started } from './outcomes.ts'

/** What a subscriber does with many events of one workspace; all of it in the transaction that ends their runs. */
export interface Together { most: number, work: (session: Session, data: readonly unknown[]) => Promise<void> }

interface Parts { claims: ClaimRepository, tx: Tx, clock: Clock, log: Log }
interface Member { started: Started, data: unknown }

/**
 * Ends runs of one name that are at work at once in one transaction: what one of them costs the store is most of what
 * a hundred do. Answers false where that failed, for whatever reason: each of them is then tried alone and judged.
 */
export function createTogether ({ claims, tx, clock, log }: Parts) {
  const gathering = new Map<string, (member: Member) => Promise<boolean>>()

  async function finish (members: readonly Member[], { work }: Together): Promise<boolean> {
    const [{ started: { run } }] = members as [Member]
    const { trace } = run
    const outcomes = members.map(({ started: { key } }) => ({ key, outcome: { kind: 'done' as const } }))
    try {
      const context = { cause: { kind: 'run' as const, id: run._id }, ...(trace === undefined ? {} : { trace }) }
      await withContext(context, async () => {
        await tx(async (session) => {
          const superseded = await claims.end(outcomes, clock.now(), session)
          if (superseded > 0) throw new Error(`${superseded} of ${members.length} runs have another start`)
          await work(session, members.map(({ data }) => data))
        })
      })
      return true
    } catch (err) {
      log.info({ err, job: run.name, runs: members.length }, 'runs that went together are tried alone')
      return false
    }
  }

  return async (started: Started, data: unknown, together: Together): Promise<boolean> => {
    const { name } = started.run
    let add = gathering.get(name)
    if (add === undefined) {
      add = createBatcher({ most: together.most }, async (members) => {
        const answers = new Map<Member, boolean>()
        for (const group of Map.groupBy(members, (member) => member.started.run.workspaceId).values()) {
          const isDone = await finish(group, together)
          for (const member of group) answers.set(member, isDone)
        }
        return members.map((member) => answers.get(member) === true)
      })
      gathering.set(name, add)
    }
    return await add({ started, data })
  }
}
