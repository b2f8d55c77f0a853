import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

interface TestWithTeardown { teardown: (after: () => void) => void }

/**
 * A new folder for a test, with files by relative path. It goes after everything that the test tears down later;
 * `t.testdir` goes before, under the feet of a store that still runs.
 */
export function folder (t: TestWithTeardown, files: Record<string, string> = {}): string {
  const dir = mkdtempSync(join(tmpdir(), 'switchyard-test-'))
  t.teardown(() => { rmSync(dir, { recursive: true, force: true }) })
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true })
    writeFileSync(join(dir, path), content)
  }
  return dir
}
