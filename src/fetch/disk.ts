import { statfs } from 'node:fs/promises'
import { FetchError } from './errors.ts'

/** Bytes of a file system: what is free for us, and all of it. */
export type DiskOf = (folder: string) => Promise<{ free: number, size: number }>

/** So much stays free whatever is fetched. */
const freeShare = 0.1

export const diskOf: DiskOf = async (folder) => {
  const { bavail, blocks, bsize } = await statfs(folder)
  return { free: bavail * bsize, size: blocks * bsize }
}

/** Throws `disk` where `bytes` more would leave less than a tenth free. */
export async function checkDisk (disk: DiskOf, folder: string, bytes: number): Promise<void> {
  const { free, size } = await disk(folder)
  if (free - bytes < size * freeShare) throw FetchError.disk()
}
