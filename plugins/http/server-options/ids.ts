import type { IncomingMessage } from 'node:http'
import { BlockList, isIPv6 } from 'node:net'
import { uuidv7 } from '../../../src/kernel/index.ts'

const accepted = /^[A-Za-z0-9._-]{8,64}$/

/** The id of a request: the one a trusted proxy gave, else a UUIDv7. */
export function requestIds (trustedProxies: readonly string[]): (request: IncomingMessage) => string {
  if (trustedProxies.length === 0) return () => uuidv7()
  const trusted = blockList(trustedProxies)
  return ({ headers, socket }) => {
    const given = headers['x-request-id']
    if (typeof given !== 'string' || !accepted.test(given)) return uuidv7()
    const peer = (socket.remoteAddress ?? '').replace(/^::ffff:/, '')
    return trusted.check(peer, isIPv6(peer) ? 'ipv6' : 'ipv4') ? given : uuidv7()
  }
}

function blockList (entries: readonly string[]): BlockList {
  const list = new BlockList()
  for (const entry of entries) {
    const [address = '', bits] = entry.split('/')
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  return list
}
