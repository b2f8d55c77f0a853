// The process of its own that a suspected run gets.
import { once } from 'node:events'
import { globSync, readFileSync } from 'node:fs'
import t from 'tap'
import { createSolo, type FromChild } from '../../plugins/queue/solo.ts'

/** Nice values of all threads of this process: the 17th field of `stat` after the name (proc(5)). */
function niceOfThreads (): number[] {
  return globSync('/proc/self/task/*/stat')
    .map((file) => Number(readFileSync(file, 'utf8').split(') ')[1]?.split(' ')[16]))
}

if (process.argv.at(-1) === '--solo') {
  const tell = (message: FromChild): void => { process.send?.(message) }
  tell({ say: 'ready' })
  await once(process, 'message')
  tell({ say: 'ended', ended: { isDone: true, cause: 'done', code: niceOfThreads().join() } })
  process.disconnect()
} else {
  t.test('all threads of it come after those of the workers', async (t) => {
    const log = { debug () {}, info () {}, warn () {}, error () {} }
    const solo = createSolo({ own: { file: import.meta.filename, replace () {} }, memoryMb: 128, loopMs: 30_000, log })
    const { signal } = new AbortController()
    const end = await solo.run({ key: { id: 'r', fence: 1, claim: 'c' }, signal, timeoutMs: 30_000 })
    const threads = end.kind === 'ended' ? end.ended.code.split(',').map(Number) : []
    t.ok(threads.length > 1, `${threads.length} threads`)
    t.same([...new Set(threads)], [10])
  })
}
