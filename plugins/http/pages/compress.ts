import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'

const brotli = promisify(brotliCompress)
const zip = promisify(gzip)

type Encoding = 'br' | 'gzip' | 'identity'

/** Takes the `Accept-Encoding` of a request. */
export type Compressed = (accepted: string | undefined) => Promise<{ encoding: Encoding, bytes: Buffer }>

/** What to send of a body that never changes; each form is made once, when it is first asked for. */
export function createCompressed (body: Buffer): Compressed {
  const forms = new Map<Encoding, Promise<Buffer>>()
  return async (accepted = '') => {
    const encoding = body.length < 1024 ? 'identity' : choose(accepted)
    const form = forms.get(encoding) ?? compress(body, encoding)
    forms.set(encoding, form)
    return { encoding, bytes: await form }
  }
}

function choose (accepted: string): Encoding {
  if (/\bbr\b/.test(accepted)) return 'br'
  return /\bgzip\b/.test(accepted) ? 'gzip' : 'identity'
}

async function compress (body: Buffer, encoding: Encoding): Promise<Buffer> {
  if (encoding === 'br') return await brotli(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } })
  return encoding === 'gzip' ? await zip(body, { level: 9 }) : body
}
