import { spawn, type ChildProcess } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import t from 'tap'
import type { DownloadRow } from '../../src/fetch/index.ts'
import { uuidv7 } from '../../src/kernel/index.ts'
import { build, testEnvironment } from '../helper.ts'
import { startWeb } from '../stand-ins/web.ts'

const worker = join(import.meta.dirname, '../../workers/worker.ts')

t.test('a worker killed with -9 leaves its part to the next one, which goes on where the bytes end', async (t) => {
  const web = await startWeb()
  const environment = testEnvironment({ FETCH_ALLOW: web.host })
  const app = await build(t, { config: environment })
  const children: ChildProcess[] = []
  t.teardown(async () => {
    for (const child of children) child.kill('SIGKILL')
    await web.close()
  })
  const start = () => {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', worker], {
      env: environment, stdio: ['ignore', 'ignore', 'inherit']
    })
    children.push(child)
    return child
  }
  const body = randomBytes(3_000_000)
  web.file('/a', body, { bytesPerSecond: 1_000_000 })
  const workspaceId = uuidv7()
  const request = { workspaceId, url: `${web.origin}/a`, purpose: 'other' }
  const [asked] = await app.tx(async (session) => await app.fetch.download(session, [request]))
  const rows = app.db.collection<DownloadRow>('fetch.downloads')
  const until = async (is: (row: DownloadRow) => boolean): Promise<DownloadRow> => {
    for (;;) {
      const row = await rows.findOne({ _id: asked?.id as string }) as DownloadRow
      if (is(row)) return row
      await new Promise((resolve) => { setTimeout(resolve, 25) })
    }
  }
  const first = start()
  const killed = await until(({ bytes }) => bytes > 800_000)
  first.kill('SIGKILL')
  await once(first, 'exit')
  const shown: number[] = []
  start()
  const done = await until(({ state, bytes }) => {
    shown.push(bytes)
    return state === 'done'
  })
  t.match(done, { restarts: 0, bytes: body.length, sha256: createHash('sha256').update(body).digest('hex') })
  t.same(shown, shown.toSorted((a, b) => a - b))
  const rest = web.requests.map(({ headers }) => String(headers['range'] ?? ''))
    .filter((range) => range !== 'bytes=0-0')
  t.equal(rest.length, 2)
  t.ok(Number(/^bytes=(\d+)-$/.exec(rest[1] ?? '')?.[1]) >= killed.bytes, `goes on by ${rest[1]}`)
  t.equal(await app.db.collection('jobs.events').countDocuments({ type: 'fetch.download.completed' }), 1)
})
