/** Redis scripts as text constants of a domain, run by `cache`; keys get the installation's prefix. */
export interface ScriptRunner {
  run (script: Script, keys: readonly string[], args: ReadonlyArray<string | number>): Promise<unknown>
}

export interface Script { name: string, lua: string }

export interface Cache {
  get (key: string): Promise<string | null>
  set (key: string, value: string, ttlMs: number): Promise<void>
  delete (key: string): Promise<void>
  /** One loader at a time per key in this process. */
  getOrSet<T> (key: string, ttlMs: number, load: () => Promise<T>): Promise<T>
}
