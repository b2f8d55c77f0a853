import { LiveError, closeCodes, frameLimits, isDomainError } from '../../../src/kernel/index.ts'
import { createBucket, type Bucket } from './admission.ts'
import type { Connection } from './connection.ts'
import { idOf, readCommand, type Command } from './inbox.ts'
import { replyErrorOf } from './proofs.ts'

interface Intake {
  waiting: Array<{ line: string, bytes: number }>
  bytes: number
  isWorking: boolean
  bucket: Bucket
  floods: Bucket
  overs: Bucket
  faults: Bucket
  ids: Set<number>
}

const waitingBytes = 131_072
const rememberedIds = 1024

interface IntakeOptions {
  handle: (connection: Connection, command: Command) => Promise<'ok' | 'fault'>
  perSec: number
  nowMs: () => number
}

/** Commands of each connection one after another, and what becomes of who sends too much or nonsense. */
export function createIntake ({ handle, perSec, nowMs }: IntakeOptions) {
  const intakes = new WeakMap<Connection, Intake>()

  function intakeOf (connection: Connection): Intake {
    const known = intakes.get(connection)
    if (known !== undefined) return known
    const made: Intake = {
      waiting: [],
      bytes: 0,
      isWorking: false,
      bucket: createBucket({ perSec, burst: perSec * 2 }, nowMs),
      floods: createBucket({ perSec: perSec * 5, burst: perSec * 10 }, nowMs),
      overs: createBucket({ perSec: 2, burst: 20 }, nowMs),
      faults: createBucket({ perSec: 1 / 6, burst: 10 }, nowMs),
      ids: new Set()
    }
    intakes.set(connection, made)
    return made
  }

  function fault (connection: Connection, intake: Intake): void {
    if (!intake.faults.take()) connection.bye(closeCodes.tooManyErrors, { reason: 'too many errors' })
  }

  function refuse (connection: Connection, intake: Intake, error: unknown): void {
    const id = isDomainError(error) ? idOf(error.details) : 0
    connection.send({ id, err: replyErrorOf(error) })
    fault(connection, intake)
  }

  /** The command of a line, within its rate and with an id of its own; undefined where there is nothing to do. */
  function admit (connection: Connection, intake: Intake, line: string): Command | undefined {
    const command = readCommand(line)
    if (command === null) return undefined
    if (!intake.bucket.take()) {
      const err = replyErrorOf(LiveError.rate_limited({}, { retryAfterMs: 1000 }))
      if (intake.overs.take()) connection.send({ id: command.id, err })
      else connection.bye(closeCodes.rate, { reason: 'rate', retryMs: 5000 })
      return undefined
    }
    const { id } = command
    if (intake.ids.has(id)) throw LiveError.bad_request({ id }, { detail: 'The id was used before.' })
    intake.ids.add(id)
    if (intake.ids.size > rememberedIds) intake.ids.delete(intake.ids.values().next().value as number)
    return command
  }

  async function work (connection: Connection, intake: Intake): Promise<void> {
    intake.isWorking = true
    try {
      while (intake.waiting.length > 0 && !connection.isClosing) {
        const next = intake.waiting.shift() as { line: string, bytes: number }
        intake.bytes -= next.bytes
        await one(connection, intake, next.line)
      }
    } finally {
      intake.isWorking = false
    }
  }

  async function one (connection: Connection, intake: Intake, line: string): Promise<void> {
    let command: Command | undefined
    try {
      command = admit(connection, intake, line)
    } catch (error) {
      refuse(connection, intake, error)
      return
    }
    if (command === undefined) return
    const outcome = await handle(connection, command)
    if (outcome === 'fault') fault(connection, intake)
  }

  return {
    /** Called synchronously for each frame, so that none is lost while an earlier command is at work. */
    take (connection: Connection, text: string): void {
      if (text === '{}') return
      const intake = intakeOf(connection)
      const lines = text.split('\n', frameLimits.cmds + 1)
      for (const line of lines) {
        if (!intake.floods.take()) break
        intake.waiting.push({ line, bytes: line.length })
        intake.bytes += line.length
      }
      const isFlood = intake.floods.debt() > 0 || lines.length > frameLimits.cmds ||
        (intake.isWorking && (intake.waiting.length > frameLimits.cmds || intake.bytes > waitingBytes))
      if (isFlood) connection.bye(closeCodes.flood, { reason: 'flood' })
      else if (!intake.isWorking) void work(connection, intake)
    }
  }
}
