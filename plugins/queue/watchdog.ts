import { Worker } from 'node:worker_threads'

interface WatchdogOptions {
  limitMs: number
  /** The process must not outlive this one. */
  parent?: number
}

/** Ends this process by SIGKILL when its event loop has not turned for so long (`jobs.md` 4.3). */
export function startWatchdog ({ limitMs, parent }: WatchdogOptions) {
  const turns = new Int32Array(new SharedArrayBuffer(4))
  const thread = new Worker(new URL('./watchdog-thread.ts', import.meta.url), {
    workerData: { turns, limitMs, parent }
  })
  const isOn = new Promise<boolean>((resolve) => {
    thread.once('online', () => { resolve(true) })
    // Without it a worker goes on as it would elsewhere.
    thread.on('error', () => { resolve(false) })
  })
  thread.unref()
  const timer = setInterval(() => { Atomics.add(turns, 0, 1) }, Math.min(500, limitMs / 8)).unref()
  return {
    /** Whether the second thread is at work; known once it is, or cannot be. */
    isOn,
    async stop (): Promise<void> {
      clearInterval(timer)
      await thread.terminate()
    }
  }
}
