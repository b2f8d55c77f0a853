import { randomBytes } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { Link } from './link.ts'

const everyMs = 30_000
const patienceMs = 5000

/** The link must hear its own message: one miss rebuilds it, two make the process not ready (`realtime.md` 4.3). */
export async function startProbe (app: FastifyInstance, link: Link): Promise<{ stop: () => void }> {
  const key = app.redisKey(`live:probe:${randomBytes(6).toString('hex')}`)
  let misses = 0
  let isHeard = true
  let patience: NodeJS.Timeout | undefined
  await link.listen(key, () => {
    isHeard = true
    misses = 0
  }, { isSharded: false })

  function probe (): void {
    isHeard = false
    app.redis.publish(key, 'probe').catch((error: unknown) => { app.log.debug({ err: error }, 'live probe') })
    patience = setTimeout(() => {
      if (isHeard) return
      misses++
      app.log.warn({ misses }, 'the live link did not hear its own message')
      link.rebuild()
    }, patienceMs)
  }

  const timer = setInterval(probe, everyMs)
  app.healthChecks.add({
    name: 'live',
    critical: true,
    timeoutMs: 1000,
    check: async () => {
      if (misses > 1 || !link.isUp()) throw new Error('the live link hears nothing')
      await Promise.resolve()
    }
  })
  return {
    stop () {
      clearInterval(timer)
      clearTimeout(patience)
    }
  }
}
