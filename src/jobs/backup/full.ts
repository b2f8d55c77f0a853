import { JobsError } from '../errors.ts'

const full = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 'storage.full'])

/** The error of a target; `jobs.disk` where any of them says that it has no room. */
export function withDisk (error: unknown): unknown {
  return full.has((error as { code?: string } | undefined)?.code ?? '') ? JobsError.disk({}, { cause: error }) : error
}
