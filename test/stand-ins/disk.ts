// Disks with little room: one of the kernel where we may mount, and the limit of a user, which nobody sees coming.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Disk {
  folder: string
  /** From now on there is room for so many bytes. */
  leave (bytes: number): void
  /** Others give way. */
  free (): void
}

interface Teardown { teardown (undo: () => unknown): unknown }

/** A disk of 16 MiB that goes when the process does; undefined where this user may not mount. */
export async function mountDisk (t: Teardown): Promise<Disk | undefined> {
  const place = mkdtempSync(join(tmpdir(), 'switchyard-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', place], { stdio: 'ignore' })
  } catch {
    rmdirSync(place)
    return undefined
  }
  // Nothing but this handle holds it from here on.
  const handle = await open(place)
  execFileSync('umount', ['--lazy', place])
  rmdirSync(place)
  t.teardown(async () => { await handle.close() })
  const folder = `/proc/self/fd/${handle.fd}`
  const others = join(folder, 'others')
  return {
    folder,
    leave (bytes) {
      const { bavail, bsize } = statfsSync(folder)
      writeFileSync(others, Buffer.alloc(bavail * bsize - bytes))
    },
    free () { rmSync(others) }
  }
}

/** Writes of this process end at a limit as a disk ends them: what still fits is written, then comes the error. */
export async function limitWrites (t: Teardown, code: 'ENOSPC' | 'EDQUOT'): Promise<Disk> {
  const folder = mkdtempSync(join(tmpdir(), 'switchyard-disk-'))
  const handle = await open(folder)
  const files = Object.getPrototypeOf(handle) as FileHandle
  await handle.close()
  const { writev } = files
  let room = Infinity
  files.writev = async function (this: FileHandle, pieces, position) {
    if (room === 0) throw Object.assign(new Error(`${code}: no room, writev`), { code })
    const bytes = Buffer.concat(pieces as readonly Uint8Array[]).subarray(0, room)
    room -= bytes.length
    return await writev.call(this, [bytes], position) as Awaited<ReturnType<FileHandle['writev']>>
  } as FileHandle['writev']
  t.teardown(() => {
    files.writev = writev
    rmSync(folder, { recursive: true })
  })
  return { folder, leave (bytes) { room = bytes }, free () { room = Infinity } }
}
