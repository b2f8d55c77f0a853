// Certificates made on the spot, good and bad ones: an authority of the test, and what it vouches for (RFC 5280).
import { createSign, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto'

export interface Issued { key: string, cert: string }

export interface IssueOptions {
  /** Names and IPv4 addresses that the certificate is for. */
  names: readonly string[]
  from?: Date
  to?: Date
}

export interface Authority {
  /** Its own certificate, PEM. */
  cert: string
  issue (options: IssueOptions): Issued
}

interface Pair { publicKey: KeyObject, privateKey: KeyObject }

const ecdsaWithSha256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]
const commonName = [0x55, 0x04, 0x03]
const subjectAltName = [0x55, 0x1d, 0x11]
const basicConstraints = [0x55, 0x1d, 0x13]
const dayMs = 86_400_000

export function createAuthority (name = 'Authority of the tests'): Authority {
  const own = newPair()
  const valid = { from: new Date(Date.now() - dayMs), to: new Date(Date.now() + dayMs) }
  const isAuthority = extension(basicConstraints, sequence(der(0x01, Buffer.from([0xff]))))
  return {
    cert: certify({ ...valid, subject: name, issuer: name, extensions: [isAuthority], publicKey: own.publicKey }, own),
    issue ({ names, from = valid.from, to = valid.to }) {
      const pair = newPair()
      const extensions = [extension(subjectAltName, sequence(...names.map(alternative)))]
      const subject = names[0] ?? ''
      return {
        key: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
        cert: certify({ from, to, subject, issuer: name, extensions, publicKey: pair.publicKey }, own)
      }
    }
  }
}

function newPair (): Pair {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
}

interface Claims { from: Date, to: Date, subject: string, issuer: string, extensions: Buffer[], publicKey: KeyObject }

function certify ({ from, to, subject, issuer, extensions, publicKey }: Claims, { privateKey }: Pair): string {
  const algorithm = sequence(der(0x06, Buffer.from(ecdsaWithSha256)))
  const serial = Buffer.concat([Buffer.from([1]), randomBytes(8)])
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serial),
    algorithm,
    nameOf(issuer),
    sequence(timeOf(from), timeOf(to)),
    nameOf(subject),
    publicKey.export({ type: 'spki', format: 'der' }) as Buffer,
    der(0xa3, sequence(...extensions)))
  const signature = createSign('sha256').update(body).sign(privateKey)
  const whole = sequence(body, algorithm, der(0x03, Buffer.concat([Buffer.from([0]), signature])))
  const lines = whole.toString('base64').match(/.{1,64}/g) ?? []
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n')
}

function der (tag: number, body: Buffer): Buffer {
  const { length } = body
  const head = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...head]), body])
}

function sequence (...parts: Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts))
}

function nameOf (text: string): Buffer {
  return sequence(der(0x31, sequence(der(0x06, Buffer.from(commonName)), der(0x0c, Buffer.from(text)))))
}

function timeOf (at: Date): Buffer {
  return der(0x18, Buffer.from(`${at.toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`))
}

function extension (oid: number[], body: Buffer): Buffer {
  return sequence(der(0x06, Buffer.from(oid)), der(0x04, body))
}

function alternative (name: string): Buffer {
  const octets = name.split('.').map(Number)
  const isAddress = octets.length === 4 && octets.every((octet) => Number.isInteger(octet))
  return isAddress ? der(0x87, Buffer.from(octets)) : der(0x82, Buffer.from(name))
}
