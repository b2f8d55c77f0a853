import type { FastifyBaseLogger } from 'fastify'
import type { HealthCheck, HealthChecks } from '../../telemetry.ts'

export interface CheckState { status: 'pass' | 'warn' | 'fail', observedAt: string, ms: number, output?: string }

const everyMs = 5000

/** Runs the checks in the background, so that a probe only reads. */
export function createProbe (checks: HealthChecks, log: FastifyBaseLogger) {
  const states = new Map<string, CheckState>()
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()
  let isStopped = false

  async function run (check: HealthCheck): Promise<void> {
    const from = performance.now()
    const problem = await within(check).then(() => undefined, (error: unknown) => error)
    const status = problem === undefined ? 'pass' : check.critical ? 'fail' : 'warn'
    const isNew = states.get(check.name)?.status !== status
    if (status !== 'pass' && isNew) log.warn({ check: check.name, err: problem }, 'health check fails')
    states.set(check.name, {
      status,
      observedAt: new Date().toISOString(),
      ms: Math.round(performance.now() - from),
      ...(problem === undefined ? {} : { output: (problem as Error).message.slice(0, 200) })
    })
  }

  async function turn (): Promise<void> {
    await Promise.all(checks.list().map(run))
    if (isStopped) return
    timer = setTimeout(() => { running = turn() }, everyMs)
    timer.unref()
  }

  return {
    states,
    /** Runs every check once, then again every five seconds. */
    async start (): Promise<void> {
      running = turn()
      await running
    },
    async stop (): Promise<void> {
      isStopped = true
      clearTimeout(timer)
      await running
    },
    overall (): CheckState['status'] {
      const all = [...states.values()].map(({ status }) => status)
      return all.includes('fail') ? 'fail' : all.includes('warn') ? 'warn' : 'pass'
    }
  }
}

export type Probe = ReturnType<typeof createProbe>

async function within ({ check, timeoutMs, name }: HealthCheck): Promise<void> {
  const timeout = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => { timeout.reject(new Error(`${name} did not answer within ${timeoutMs} ms`)) }, timeoutMs
  )
  try {
    await Promise.race([check(), timeout.promise])
  } finally {
    clearTimeout(timer)
  }
}
