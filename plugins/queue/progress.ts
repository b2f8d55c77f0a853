import { operationState, runTopic, type RunRow } from '../../src/jobs/index.ts'
import type { Clock, Live, Log, Progress } from '../../src/kernel/index.ts'

type Shown = Pick<RunRow, '_id' | 'name' | 'progress'>

/** Shows a run to whoever watches it; lossy, since the document has the truth. */
export function createRunPublisher (live: Live, clock: Clock, log: Log) {
  return (run: Shown, progress = run.progress, state: RunRow['state'] = 'running'): void => {
    const data = {
      id: run._id,
      type: run.name,
      state: operationState(state),
      at: clock.now().toISOString(),
      ...(progress === undefined ? {} : { progress })
    }
    live.publish(runTopic, { runId: run._id }, { kind: 'run', key: run._id, data })
      .catch((err: unknown) => { log.debug({ err, run: run._id }, 'progress was not published') })
  }
}

export type PublishRun = (run: Shown, progress?: Progress, state?: RunRow['state']) => void
