import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { MasterKey } from '../kernel/index.ts'

/** Keys of `MASTER_KEYS` (`identity.md` 4.1); what is wrong is said without the value. */
export function parseMasterKeys (text: string, problems: string[]): MasterKey[] {
  return text.split(',').map((part) => part.trim()).filter((part) => part !== '').flatMap((part, index) => {
    const [id = '', value = ''] = part.split(':')
    const bytes = decode(value)
    const problem = problemOf(id, bytes)
    if (problem !== undefined) {
      problems.push(`MASTER_KEYS: key ${index + 1} ${problem}.`)
      return []
    }
    return [{ id, bytes: bytes as Buffer }]
  })
}

/** The one key of a variable; what is wrong is said without the value. */
export function parseSecretKey (name: string, text: string, problems: string[]): Buffer | null {
  const bytes = decode(text.trim())
  const problem = bytesProblemOf(bytes)
  if (problem !== undefined) problems.push(`${name} ${problem}.`)
  return bytes ?? null
}

/** The text of `MASTER_KEYS` kept below the data folder (mode 0600), made at the first call; not for production. */
export function createMasterKeys (dataDir: string): string {
  const file = join(dataDir, 'master-keys')
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  try {
    writeFileSync(file, `k1:${randomBytes(32).toString('base64url')}\n`, { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    chmodSync(file, 0o600)
  }
  return readFileSync(file, 'utf8').trim()
}

function decode (value: string): Buffer | undefined {
  if (/^[0-9a-f]{64}$/i.test(value)) return Buffer.from(value, 'hex')
  if (/^[A-Za-z0-9+/_-]{43}=?$/.test(value)) return Buffer.from(value, 'base64url')
  return undefined
}

function problemOf (id: string, bytes: Buffer | undefined): string | undefined {
  if (!/^[a-z0-9]{1,16}$/.test(id)) return 'needs the form id:bytes, the id of at most 16 lower-case letters and digits'
  return bytesProblemOf(bytes)
}

function bytesProblemOf (bytes: Buffer | undefined): string | undefined {
  if (bytes?.length !== 32) return 'is not 32 bytes in base64, base64url or hex'
  if (new Set(bytes).size < 20) return 'has fewer than 20 different bytes; draw it at random'
  if (bytes.every((byte) => byte >= 0x20 && byte < 0x7f)) return 'is readable text; draw it at random'
  return undefined
}
