// A part of a backup on its way: frames of 1 MiB under AES-256-GCM. The number of a frame is its nonce, a fresh salt
// makes the key of each part, and the last frame says so: a changed, moved, missing or cut frame does not open.
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { Transform } from 'node:stream'
import { JobsError } from '../errors.ts'

const magic = Buffer.from('SYBACK01')
const saltBytes = 32
const tagBytes = 16
const frameBytes = 1024 * 1024
const lastFlag = 0x80000000

/** Bytes that grow at one end and are taken from the other, without a copy of the rest for every piece. */
function createPile () {
  let pieces: Buffer[] = []
  let length = 0
  return {
    get length () { return length },
    push (piece: Buffer): void {
      pieces.push(piece)
      length += piece.length
    },
    take (bytes: number): Buffer {
      const all = pieces.length === 1 ? pieces[0] as Buffer : Buffer.concat(pieces)
      const rest = all.subarray(bytes)
      pieces = rest.length === 0 ? [] : [rest]
      length = rest.length
      return all.subarray(0, bytes)
    }
  }
}

function keyOf (key: Buffer, salt: Buffer, place: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key, salt, `switchyard:backup:${place}`, 32))
}

function nonceOf (index: number): Buffer {
  const nonce = Buffer.alloc(12)
  nonce.writeUIntBE(index, 6, 6)
  return nonce
}

/** Seals what goes through; `place` names backup and part, and opens nowhere else. */
export function sealFrames (key: Buffer, place: string): Transform {
  const salt = randomBytes(saltBytes)
  const own = keyOf(key, salt, place)
  const pile = createPile()
  let index = 0

  function seal (plain: Buffer, isLast: boolean): Buffer {
    const head = Buffer.alloc(4)
    head.writeUInt32BE((plain.length | (isLast ? lastFlag : 0)) >>> 0)
    const cipher = createCipheriv('aes-256-gcm', own, nonceOf(index++))
    cipher.setAAD(head)
    const sealed = cipher.update(plain)
    cipher.final()
    return Buffer.concat([head, sealed, cipher.getAuthTag()])
  }

  return new Transform({
    readableHighWaterMark: 2 * frameBytes,
    construct (done) {
      this.push(Buffer.concat([magic, salt]))
      done()
    },
    transform (piece: Buffer, _encoding, done) {
      pile.push(piece)
      // A full frame waits for the next byte: it may be the last.
      while (pile.length > frameBytes) this.push(seal(pile.take(frameBytes), false))
      done()
    },
    flush (done) {
      this.push(seal(pile.take(pile.length), true))
      done()
    }
  })
}

/** Opens what `sealFrames` sealed under the same key for the same place. Fails with `jobs.backup_damaged`. */
export function openFrames (key: Buffer, place: string): Transform {
  const pile = createPile()
  let own: Buffer | undefined
  let index = 0
  let isOver = false

  function damaged (what: string): Error {
    return JobsError.backup_damaged({}, { detail: `${place}: ${what}` })
  }

  /** One frame, or undefined where it is not there yet. */
  function next (secret: Buffer): Buffer | undefined {
    const head = pile.take(4)
    const word = head.readUInt32BE()
    const bytes = (word & ~lastFlag) >>> 0
    if (bytes > frameBytes) throw damaged(`frame ${index} has no length`)
    if (pile.length < bytes + tagBytes) {
      const rest = pile.take(pile.length)
      pile.push(Buffer.concat([head, rest]))
      return undefined
    }
    const sealed = pile.take(bytes)
    const tag = pile.take(tagBytes)
    const decipher = createDecipheriv('aes-256-gcm', secret, nonceOf(index))
    decipher.setAAD(head)
    decipher.setAuthTag(tag)
    try {
      const plain = decipher.update(sealed)
      decipher.final()
      index++
      isOver = word >= lastFlag
      return plain
    } catch {
      throw damaged(`frame ${index} does not open`)
    }
  }

  function open (push: (plain: Buffer) => void): void {
    if (own === undefined) {
      if (pile.length < magic.length + saltBytes) return
      if (!pile.take(magic.length).equals(magic)) throw damaged('it is no part of a backup')
      own = keyOf(key, pile.take(saltBytes), place)
    }
    while (pile.length >= 4 && !isOver) {
      const plain = next(own)
      if (plain === undefined) return
      if (plain.length > 0) push(plain)
    }
    if (isOver && pile.length > 0) throw damaged('something follows the last frame')
  }

  return new Transform({
    readableHighWaterMark: 2 * frameBytes,
    transform (piece: Buffer, _encoding, done) {
      pile.push(piece)
      try {
        open((plain) => { this.push(plain) })
        done()
      } catch (error) {
        done(error as Error)
      }
    },
    flush (done) { done(isOver ? null : damaged('its end is missing')) }
  })
}
