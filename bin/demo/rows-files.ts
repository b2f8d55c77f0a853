import exifr from 'exifr'
import { countsOf, watchersOf, type Job, type Row } from './job.ts'
import { until, type Json } from './rest.ts'
import { bar } from './rows-connect.ts'

const order = ['queued', 'probing', 'downloading', 'verifying', 'storing', 'done']
const ended = ['ready', 'rejected', 'gone', 'skipped', 'failed']

export const files: Row = {
  number: 5,
  title: 'Download and process every picture',
  async run (job) {
    const { expected, options } = job
    const assets = await until('every asset', options.isChaos ? 150_000 : 120_000, async () => {
      const all = await job.a.all(`/v1/social/accounts/${job.accountId}/assets`)
      const isDone = all.filter(({ state }) => ended.includes(state)).length
      job.tell(bar('pictures', isDone, expected.files.length))
      return isDone === expected.files.length
        ? all
        : await new Promise<false>((resolve) => {
          setTimeout(() => { resolve(false) }, 500)
        })
    })
    await judgeDownloads(job)
    await judgeAssets(job, assets)
    await judgeLedger(job)
    const { recoveries } = job.watchers.Y.channel(`social.downloads:${job.accountId}`)
    await Promise.all(job.accidents)
    if (!options.isChaos) job.must(recoveries[0] === true, 'Y came back without a gap')
  }
}

async function judgeDownloads (job: Job): Promise<void> {
  const { expected, options } = job
  const downloads = await job.a.all(`/v1/social/accounts/${job.accountId}/downloads`)
  const done = downloads.filter(({ state }) => state === 'done')
  const bytes = done.reduce((total, one) => total + one.bytes, 0)
  Object.assign(job.figures, { downloads: done.length, bytes })
  job.must(done.length === expected.files.length, `${done.length} downloads are done`)
  job.must(bytes === expected.bytes, `${bytes} of ${expected.bytes} bytes`)
  const hashes = new Set(done.map(({ sha256 }) => sha256))
  job.must(expected.files.every(({ sha256 }) => hashes.has(sha256)), 'each sha256 is the one of the pool')
  if (!options.isChaos) job.must(downloads.every(({ restarts }) => restarts === 0), 'no download began anew')
  for (const watcher of watchersOf(job)) judgeBytes(job, watcher.name)
  await judgeStates(job, downloads)
}

function judgeBytes (job: Job, name: string): void {
  const watcher = watchersOf(job).find((one) => one.name === name)
  const highest = new Map<string, number>()
  const falls = watcher?.channel(`social.downloads:${job.accountId}`).pubs.filter(({ key = '', d }) => {
    const before = highest.get(key) ?? 0
    highest.set(key, Math.max(before, d['bytes'] as number))
    return (d['bytes'] as number) < before
  })
  job.must(falls?.length === 0, `bytes fell ${falls?.length ?? 0} times at ${name}`)
}

/** File 289 is cut once: every state in order, and several byte counts on the way. */
async function judgeStates (job: Job, downloads: readonly Json[]): Promise<void> {
  const big = downloads.find(({ url }) => url.endsWith('/media/289'))
  for (const watcher of [job.watchers.W, job.watchers.V]) {
    const channel = watcher.channel(`social.downloads:${job.accountId}`)
    const seen = (): Json[] => channel.pubs.filter(({ key }) => key === big?.id).map(({ d }) => d)
    await until(`the end of file 289 at ${watcher.name}`, 10_000, () => seen().at(-1)?.state === 'done')
    // Whoever was away is told the last value of a key, not the ones before it.
    if (job.options.isChaos && channel.loads.length + channel.recoveries.length > 0) continue
    const states = seen().map(({ state }) => state).filter((state, index, all) => state !== all[index - 1])
    job.must(isInOrder(states), `file 289 at ${watcher.name}: ${states.join(', ')}`)
    const counts = new Set(seen().map(({ bytes }) => bytes))
    job.must(counts.size >= 3, `${counts.size} different byte counts of file 289 at ${watcher.name}`)
  }
}

/** Every state once and in order; the first three may come again after the cut. */
function isInOrder (states: readonly string[]): boolean {
  const last = new Map(states.map((state, index) => [state, index]))
  const tail = states.slice(states.lastIndexOf('downloading'))
  return order.every((state) => states.includes(state)) &&
    tail.join() === order.slice(2).join() &&
    states.slice(0, last.get('downloading')).every((state) => order.indexOf(state) <= 2) &&
    states[0] === 'queued'
}

async function judgeAssets (job: Job, assets: readonly Json[]): Promise<void> {
  const { expected } = job
  const ready = assets.filter(({ state }) => state === 'ready')
  const rejected = assets.filter(({ state }) => state === 'rejected')
  Object.assign(job.figures, { ready: ready.length, rejected: rejected.length })
  job.must(ready.length === expected.files.length - expected.rejected.length, `${ready.length} assets are ready`)
  const refused = rejected.map(({ remoteUrl }) => Number(remoteUrl.split('/').at(-1))).toSorted((a, b) => a - b)
  job.must(refused.join() === expected.rejected.join(), `rejected are the files ${refused.join()}`)
  job.must(rejected.every(({ reason }) => reason === 'corrupt_file'), 'rejected for corrupt_file')
  for (const n of expected.gps.directories) {
    const gps = await gpsOf(expected.files.find((file) => file.n === n)?.read() ?? Buffer.alloc(0))
    const isPlaced = expected.gps.positions.includes(n)
    job.must(gps !== undefined, `the parser sees a GPS directory in file ${n}`)
    job.must((gps?.['GPSLatitude'] !== undefined) === isPlaced, `file ${n} has ${isPlaced ? 'a' : 'no'} position`)
  }
  await judgePictures(job, ready)
}

async function judgePictures (job: Job, ready: readonly Json[]): Promise<void> {
  let placed = 0
  let unread = 0
  const queue = ready.flatMap(({ url, thumbUrl }) => [url, thumbUrl] as string[])
  await Promise.all(Array.from({ length: 8 }, async () => {
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      const answer = await fetch(new URL(next, job.a.origin))
      const bytes = Buffer.from(await answer.arrayBuffer())
      if (answer.status !== 200 || bytes.length === 0) unread++
      else if (await gpsOf(bytes) !== undefined) placed++
    }
  }))
  job.must(unread === 0, `${unread} pictures cannot be read`)
  job.must(placed === 0, `${placed} pictures still tell where they were taken`)
}

/** The GPS directory of a picture, as an EXIF parser sees it; undefined where there is none. */
async function gpsOf (bytes: Buffer): Promise<Record<string, unknown> | undefined> {
  const found = await exifr.parse(bytes, { gps: true, mergeOutput: false }).catch(() => undefined)
  return found?.gps
}

async function judgeLedger (job: Job): Promise<void> {
  const { items } = await job.control.ask('GET', '/control/requests?operation=media.get')
  let resumed = 0
  for (const n of job.expected.cut) {
    const { bytes } = job.expected.files.find((file) => file.n === n) ?? { bytes: 0 }
    const resumes = items.filter((request: Json) => request.remoteId === String(n) && request.status === 206 &&
      Number(/^bytes=(\d+)-$/.exec(request.range ?? '')?.[1] ?? 0) >= bytes / 2)
    if (resumes.length > 0) resumed++
    const isOnce = resumes.length === 1 || (job.options.isChaos && resumes.length > 0)
    job.must(isOnce, `file ${n} went on ${resumes.length} times where its bytes end`)
  }
  job.figures.resumed = resumed
}

export const chaos: Row = {
  number: 6,
  title: 'Everything that was killed is back',
  async run (job) {
    const watchers = watchersOf(job)
    const memory = Object.keys(job.stage.memory())
    for (const name of ['mongo', 'redis', 'server', 'worker io keeper']) {
      job.must(memory.includes(name), `${name} runs again`)
    }
    for (const { name, channels } of watchers.filter((one) => one.name !== 'V')) {
      const feed = channels.get(`social.feed:${job.accountId}`)
      job.must((feed?.recoveries.length ?? 0) > 0, `${name} came back`)
    }
    job.must((await countsOf(job)).listRequests > 0, 'the stand-in counted')
  }
}
