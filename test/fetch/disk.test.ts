// A disk that others fill while a file comes.
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { limitWrites, mountDisk, type Disk } from '../stand-ins/disk.ts'
import { rig } from './rig.ts'

const MiB = 1024 * 1024
const body = randomBytes(3 * MiB)
const room = 1.5 * MiB

const disks: Record<string, (t: Test) => Promise<Disk>> = {
  'a full disk': async (t) => await mountDisk(t) ?? await limitWrites(t, 'ENOSPC'),
  'a used-up limit of the user': async (t) => await limitWrites(t, 'EDQUOT')
}

for (const [name, make] of Object.entries(disks)) {
  t.test(`${name} ends the try, keeps what fitted, and the download goes on from there`, async (t) => {
    const disk = await make(t)
    const { web, ask, run, row, ranges, stored } = await rig(t, { scratchDir: disk.folder })
    let isFilled = false
    web.file('/a', body, {
      before: ({ headers }) => {
        if (isFilled || headers.range === 'bytes=0-0') return
        isFilled = true
        disk.leave(room)
      }
    })
    const id = await ask('/a')
    const kept = () => readFileSync(join(disk.folder, 'parts', `${id}.0`))
    await t.rejects(run(id), { code: 'fetch.disk' })
    t.same(ranges('/a'), [null], 'the host is not at fault, and not asked again')
    t.match(await row(id), { state: 'downloading', isActive: true, restarts: 0, errorCode: null })
    t.ok(kept().equals(body.subarray(0, room)), 'what fitted is there')
    await t.rejects(run(id), { code: 'fetch.disk' }, 'as long as nobody gives way')
    t.equal(kept().length, room)
    disk.free()
    await run(id)
    t.equal(ranges('/a').at(-1), `bytes=${room}-`)
    const sha256 = createHash('sha256').update(body).digest('hex')
    t.match(await row(id), { state: 'done', restarts: 0, bytes: body.length, sha256 })
    t.ok((await stored(id))?.equals(body))
  })
}
