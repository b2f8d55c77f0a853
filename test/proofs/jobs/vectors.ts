import { join } from 'node:path'

const shared = process.env['SHARED_DATA'] ?? join(import.meta.dirname, '../../../../shared/data')
export const vectorsFile = join(shared, 'time/rrule/rrule-expected-instances.txt')
export const zonesFile = join(shared, 'time/moment-tz-packed.json.gz')

export interface Vector { rrule: string, dtstart: string, want: string[] }

/** Rules with all their instances, as lines `RRULE:`, `DTSTART:` and `INSTANCES:`; instants of UTC. */
export function readVectors (text: string): Vector[] {
  const found: Vector[] = []
  let rrule = ''
  let dtstart = ''
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon)
    const value = line.slice(colon + 1)
    if (name === 'RRULE') rrule = value
    if (name === 'DTSTART') dtstart = wallOf(value)
    if (name === 'INSTANCES') {
      const want = value.split(',').filter((one) => one !== '').map((one) => `${wallOf(one)}.000Z`)
      found.push({ rrule, dtstart, want })
    }
  }
  return found
}

/** `19970902T090000Z`, `19970902` as `1997-09-02T09:00:00`. */
function wallOf (text: string): string {
  const [, y, m, d, h = '00', min = '00', s = '00'] = /^(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)Z?)?$/.exec(text) ?? []
  return `${y}-${m}-${d}T${h}:${min}:${s}`
}
