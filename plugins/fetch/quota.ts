import type { DownloadQuota } from '../../src/kernel/index.ts'

/** Asks whoever keeps the quota; without a keeper there is none. */
export function createQuotaDoor (): DownloadQuota & { keep (keeper: DownloadQuota): void } {
  let kept: DownloadQuota | undefined
  return {
    keep (keeper) {
      if (kept !== undefined) throw new Error('the quota of downloads has a keeper already')
      kept = keeper
    },
    reserve: async (asked) => await (kept?.reserve(asked) ?? true),
    release: async (ended) => { await kept?.release(ended) }
  }
}
