import { operationState, runTopic, type EndedRun, type RunRow } from '../../src/jobs/index.ts'
import type { Clock, Live, Log, Progress } from '../../src/kernel/index.ts'

/** Shows a run to whoever watches it; lossy, since the document has the truth. */
export function createRunPublisher (live: Live, clock: Clock, log: Log) {
  return (run: EndedRun, progress = run.progress, state: RunRow['state'] = 'running'): void => {
    const data = {
      id: run._id,
      type: run.name,
      state: operationState(state),
      at: clock.now().toISOString(),
      ...(progress === undefined ? {} : { progress }),
      ...(run.error === undefined ? {} : { error: { class: run.error.class, code: run.error.code } })
    }
    live.publish(runTopic, { runId: run._id }, { kind: 'run', key: run._id, data })
      .catch((err: unknown) => { log.debug({ err, run: run._id }, 'progress was not published') })
  }
}

export type PublishRun = (run: EndedRun, progress?: Progress, state?: RunRow['state']) => void
