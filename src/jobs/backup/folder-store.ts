import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { BackupStore } from '../../kernel/index.ts'
import { withDisk } from './full.ts'
import { manifestPart } from './manifest.ts'

const idPattern = /^[0-9a-f-]{36}$/

/** Backups in a folder of their own below `dir`, which may be a mounted disk; readable by this user only. */
export function createFolderStore (dir: string): BackupStore {
  return {
    holds: [],

    async put (id, part, body) {
      const folder = join(dir, id)
      const unfinished = join(folder, `${part}.part`)
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 })
        const file = await open(unfinished, 'w', 0o600)
        await pipeline(body, file.createWriteStream({ flush: true, highWaterMark: 4 * 1024 * 1024 }))
        await rename(unfinished, join(folder, part))
      } catch (error) {
        await rm(unfinished, { force: true })
        throw withDisk(error)
      }
      return (await stat(join(folder, part))).size
    },

    async get (id, part) {
      try {
        const file = await open(join(dir, id, part), 'r')
        return file.createReadStream({ highWaterMark: 1024 * 1024 })
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
        throw error
      }
    },

    async list () {
      try {
        return (await readdir(dir)).filter((name) => idPattern.test(name)).toSorted()
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
        throw error
      }
    },

    async remove (id) {
      await rm(join(dir, id, manifestPart), { force: true })
      await rm(join(dir, id), { recursive: true, force: true })
    }
  }
}
