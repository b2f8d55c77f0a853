import { isOver, uuidv7, type Actor, type Log, type Tx } from '../kernel/index.ts'
import { scopeOf } from './access.ts'
import type { LetterService } from './letters.ts'
import { compareVersions, mostRounds } from './replay.ts'
import type { LetterRepository, RuleRepository, RuleRow, RunRepository } from './repository.ts'
import type { Rule } from './schemas.ts'

interface Collaborators {
  rules: RuleRepository
  letters: LetterRepository
  runs: RunRepository
  service: Pick<LetterService, 'start'>
  tx: Tx
}

export type RuleService = ReturnType<typeof createRuleService>

/** Letters that replay themselves after a deploy (`jobs.md` 4.5). */
export function createRuleService ({ rules, letters, runs, service, tx }: Collaborators) {
  /** Starts the replay of one rule where older code left letters and none is at work. */
  async function apply (rule: RuleRow): Promise<boolean> {
    const scope = rule.workspaceId === null ? undefined : [rule.workspaceId]
    const { fingerprint, fromVersion, ratePerS, lane } = rule
    const versions = await letters.codeVersions(scope, fingerprint, mostRounds)
    const older = versions.filter((version) => compareVersions(version, fromVersion) < 0).slice(0, 100)
    if (older.length === 0 || await isAtWork(rule)) return false
    return await tx(async (session) => {
      const asked = { filter: { fingerprint, codeVersion: older }, ratePerS, lane }
      const { id } = await service.start(session, scope, asked, rule.workspaceId ?? '')
      return await rules.started(session, rule, id)
    })
  }

  async function isAtWork ({ workspaceId, runId }: RuleRow): Promise<boolean> {
    if (runId === undefined) return false
    const run = await runs.find(workspaceId ?? '', runId)
    return run !== undefined && !isOver(run.state)
  }

  return {
    async list (actor: Actor): Promise<Rule[]> {
      return (await rules.list(ownerOf(actor))).map(({ fingerprint, fromVersion, ratePerS, lane }) =>
        ({ fingerprint, fromVersion, ratePerS, lane }))
    },

    /** All rules of the actor's workspace, or of the installation where an operator says them. */
    async put (actor: Actor, wanted: readonly Rule[]): Promise<Rule[]> {
      const workspaceId = ownerOf(actor)
      await tx(async (session) => {
        await rules.replace(session, workspaceId, wanted.map((rule) => ({
          _id: uuidv7(), workspaceId, ratePerS: 10, lane: 'bulk', ...rule, by: actor.id
        })))
      })
      return await this.list(actor)
    },

    /** Applies every rule that the oldest code at work is new enough for; how many replays began. */
    async applyAll (oldestVersion: string | undefined, log: Log): Promise<number> {
      if (oldestVersion === undefined) return 0
      let started = 0
      for (const rule of await rules.all()) {
        if (compareVersions(oldestVersion, rule.fromVersion) < 0 || !await apply(rule)) continue
        started++
        log.info({ fingerprint: rule.fingerprint, from: rule.fromVersion }, 'letters of older code are replayed')
      }
      return started
    }
  }
}

function ownerOf (actor: Actor): string | null {
  return scopeOf(actor) === undefined ? null : actor.workspaceId
}
