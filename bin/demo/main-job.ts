// The one script of the main job, rows as data: the demo, the journey test and the proofs run it.
import { expectedOf } from './content.ts'
import type { Figures, Job, JobOptions, Row } from './job.ts'
import { createRest } from './rest.ts'
import { alert, count, notify } from './rows-alert.ts'
import { compare, secrets } from './rows-compare.ts'
import { connect, firstSync, signUp } from './rows-connect.ts'
import { chaos, files } from './rows-files.ts'
import { readBack } from './rows-read.ts'
import type { Stage } from './stage.ts'

export type { Figures, JobOptions, Row } from './job.ts'

/** The rows in the order of their numbers; row 6 only where it kills. */
export function rowsOf ({ isScripted }: Pick<JobOptions, 'isScripted'>): readonly Row[] {
  const rows = [signUp, connect, firstSync, readBack, files, chaos, count, alert, notify, compare, secrets]
  return rows.filter((row) => row !== chaos || isScripted)
}

export interface Outcome {
  figures: Partial<Figures>
  /** By row number, whether everything held. */
  rows: Record<number, boolean>
  /** What did not hold, as sentences. */
  failures: string[]
  memory: Record<string, number>
  person: Job['person'] | undefined
}

export interface Listener {
  onRow?: (row: Row) => void
  onProgress?: (row: Row, text: string) => void
  onRowEnd?: (row: Row, failures: readonly string[]) => void
}

/** Plays every row on a stage. A row that fails is noted, and the next ones still run. */
export async function runMainJob (stage: Stage, options: JobOptions, listener: Listener = {}): Promise<Outcome> {
  const rows: Record<number, boolean> = {}
  const failures: string[] = []
  const job = createJob(stage, options)
  for (const row of rowsOf(options)) {
    const missed: string[] = []
    job.must = (isMet, sentence) => { if (!isMet) missed.push(`row ${row.number}: ${sentence}`) }
    job.tell = (text) => { listener.onProgress?.(row, text) }
    listener.onRow?.(row)
    try {
      await row.run(job)
    } catch (error) {
      missed.push(`row ${row.number}: ${(error as Error).message}`)
    }
    rows[row.number] = missed.length === 0
    failures.push(...missed)
    listener.onRowEnd?.(row, missed)
    if (row.number < 3 && missed.length > 0) break
  }
  const memory = stage.memory()
  for (const watcher of Object.values(job.watchers ?? {})) watcher.close()
  return { figures: job.figures, rows, failures, memory, person: job.person }
}

/** What later rows need is filled in by the first two; without those the script ends. */
function createJob (stage: Stage, options: JobOptions): Job {
  const nobody = (): undefined => undefined
  const ground: Partial<Job> = {
    stage,
    expected: expectedOf(options),
    options,
    figures: {},
    control: createRest(stage.platform.control, nobody),
    sink: createRest(stage.mails.control, nobody),
    accidents: [],
    loaded: new Map()
  }
  return ground as Job
}
