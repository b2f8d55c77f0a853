/** The network of an address: /64 of IPv6, and of IPv4 the /24 or the address itself. */
export function networkOf (ip: string, ipv4: 'whole' | '/24'): string {
  const mapped = ip.startsWith('::ffff:') && ip.includes('.') ? ip.slice(7) : ip
  if (!mapped.includes(':')) return ipv4 === 'whole' ? mapped : `${mapped.slice(0, mapped.lastIndexOf('.'))}.0`
  const [head = '', tail] = (mapped.split('%', 1)[0] as string).split('::', 2)
  const front = head === '' ? [] : head.split(':')
  const back = tail === undefined || tail === '' ? [] : tail.split(':')
  const groups = [...front, ...new Array<string>(Math.max(0, 8 - front.length - back.length)).fill('0'), ...back]
  return `${groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::`
}
