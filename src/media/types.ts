// What bytes are, and whether that is what they were said to be (`media.md` 4.4).
import { fileTypeFromBuffer } from 'file-type'
import { Refusal } from './reasons.ts'

const aliases: Record<string, string> = {
  'image/jpg': 'image/jpeg',
  'image/pjpeg': 'image/jpeg',
  'image/jfif': 'image/jpeg',
  'image/apng': 'image/png',
  'image/x-png': 'image/png',
  'image/vnd.mozilla.apng': 'image/png'
}
/** Types that say nothing. */
const silent = new Set(['', 'application/octet-stream', 'binary/octet-stream', 'application/binary', 'image/*'])

/** The type by magic bytes. Throws a refusal, `unknown_type`. */
export async function sniff (bytes: Buffer): Promise<string> {
  const found = await fileTypeFromBuffer(bytes)
  if (found === undefined) throw new Refusal('unknown_type', 'the first bytes are those of no known type')
  return canonicalType(found.mime)
}

/** Whether the declared type is what was found, and one that the purpose takes. Throws a refusal, `type_mismatch`. */
export function agree (sniffed: string, declared: string, allowed: readonly string[]): void {
  const said = canonicalType(declared)
  if (!allowed.includes(sniffed)) throw new Refusal('type_mismatch', `${sniffed} is not taken here`)
  if (!silent.has(said) && said !== sniffed) throw new Refusal('type_mismatch', `declared ${said}, found ${sniffed}`)
}

function canonicalType (type: string): string {
  const plain = type.split(';')[0]?.trim().toLowerCase() ?? ''
  return aliases[plain] ?? plain
}
