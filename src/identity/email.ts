import { domainToASCII } from 'node:url'
import { HttpError } from '../kernel/index.ts'

export interface Address { email: string, emailKey: string }

/** RFC 5321 lengths, the domain in ASCII, the local part kept; the key is what addresses are compared by. */
export function parseEmail (text: string): Address {
  const at = text.lastIndexOf('@')
  if (at < 1) throw refused()
  const local = text.slice(0, at)
  const domain = domainToASCII(text.slice(at + 1).normalize('NFC')).toLowerCase()
  const email = `${local}@${domain}`
  if (!isLocal(local) || !isDomain(domain) || email.length > 254) throw refused()
  return { email, emailKey: email.toLowerCase() }
}

function isLocal (local: string): boolean {
  return local.length > 0 && local.length <= 64 && !/[\s\p{Cc}<>()[\]\\,;:@"]/u.test(local)
}

function isDomain (domain: string): boolean {
  return /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/.test(domain) && !domain.includes('..')
}

function refused (): Error {
  return HttpError.validation_failed({}, {
    errors: [{ in: 'body', pointer: '/email', code: 'format', detail: 'must be an address that can be written to' }]
  })
}
