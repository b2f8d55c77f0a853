import { present, presentAttempt } from './present.ts'
import { redact } from './redact.ts'
import type { EventRow, Letter } from './repository.ts'
import type { Group } from './repository/letters.ts'
import type { EventOut, GroupOut, LetterDetail, LetterOut } from './schemas.ts'

export function presentLetter (letter: Letter): LetterOut {
  const { _id, workspaceId, runId, name, class: cause, code, message, fingerprint, state, codeVersion } = letter
  const { failedAt, round = 0, data, closedAt, closedBy, reason, replayRunId } = letter
  return {
    id: _id, workspaceId, runId, name, class: cause, code, message, fingerprint, state, codeVersion, round,
    failedAt: failedAt.toISOString(),
    isEdited: data !== undefined,
    ...present({ closedBy, reason, replayRunId }),
    ...(closedAt === undefined ? {} : { closedAt: closedAt.toISOString() })
  }
}

/** With its attempts, and the data that a replay will use. */
export function presentLetterDetail (letter: Letter, data: unknown, hides: readonly string[] = []): LetterDetail {
  const { attempts, needers = [] } = letter
  return { ...presentLetter(letter), attempts: attempts.map(presentAttempt), data: redact(data, hides), needers }
}

export function presentGroup ({ firstAt, lastAt, ...group }: Group): GroupOut {
  return { ...group, firstAt: firstAt.toISOString(), lastAt: lastAt.toISOString() }
}

export function presentEvent (row: EventRow): EventOut {
  const { _id, type, v, workspaceId, subject, data, at, subscribers, cause } = row
  return {
    id: _id, type, version: v, workspaceId, subject, data, at: at.toISOString(), subscribers,
    cause: cause === undefined ? null : { kind: cause.kind, id: cause.id }
  }
}
