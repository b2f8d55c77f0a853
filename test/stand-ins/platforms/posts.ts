import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'

/** One post of a world. `id` is a string: it exceeds 2^53. `media` is the number of its file. */
export interface Post {
  index: number
  id: string
  createdAt: number
  editedAt: number | null
  text: string
  tags: string[]
  language: string | null
  replies: number
  reblogs: number
  favourites: number
  media: number | null
}

/** Ids are decimal numbers of any length without leading zeros: the longer is the greater. */
export function compareIds (a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length
  return a < b ? -1 : a > b ? 1 : 0
}

/** Tags of a text, folded to lower case, each once, in order of appearance. */
export function tagsOf (text: string): string[] {
  return [...new Set([...text.matchAll(/#([\p{L}\p{N}_]+)/gu)].map((match) => match[1]!.toLowerCase()))]
}

/** Every third post names no language, as platforms do for texts they cannot place. */
export function languageOf (index: number): string | null {
  return index % 3 === 0 ? null : 'en'
}

/** The 3,207 posts of `content/posts.csv.gz`, ascending by id; the rule stands in `content/README.md`. */
export function readPosts (): Post[] {
  const csv = gunzipSync(readFileSync(new URL('content/posts.csv.gz', import.meta.url))).toString('utf8')
  const [header, ...rows] = parseCsv(csv)
  const columns = new Map(header!.map((name, place) => [name, place]))
  const cell = (row: string[], name: string) => row[columns.get(name)!]!
  return rows
    .map((row) => ({
      id: cell(row, 'url').split('/').at(-1)!,
      createdAt: minuteOf(cell(row, 'created_at')),
      text: decodeEntities(cell(row, 'text')),
      replies: Number(cell(row, 'replies')),
      reblogs: Number(cell(row, 'retweets')),
      favourites: Number(cell(row, 'favorites'))
    }))
    .sort((a, b) => compareIds(a.id, b.id))
    .map((row, index) => ({
      ...row,
      index,
      editedAt: null,
      tags: tagsOf(row.text),
      language: languageOf(index),
      media: index % 10 === 0 ? index / 10 : null
    }))
}

/** `M/D/YY H:MM`, read as UTC. */
function minuteOf (written: string): number {
  const match = /^(\d+)\/(\d+)\/(\d\d) (\d+):(\d\d)$/.exec(written)
  if (!match) throw new Error(`No minute: ${written}`)
  const [month, day, year, hour, minute] = match.slice(1).map(Number) as [number, number, number, number, number]
  return Date.UTC(2000 + year, month - 1, day, hour, minute)
}

const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", '#39': "'" }

function decodeEntities (text: string): string {
  return text.replace(/&(amp|lt|gt|quot|apos|#39);/g, (_, name: string) => entities[name]!)
}

/** RFC 4180. */
export function parseCsv (text: string): string[][] {
  const rows: string[][] = []
  let row: string[] = []
  // One token is a field, quoted or bare, and what ends it.
  for (const match of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/g)) {
    if (match[0] === '' && row.length === 0) break
    row.push(match[1] === undefined ? match[2]! : match[1].replaceAll('""', '"'))
    if (match[3] === ',') continue
    rows.push(row)
    row = []
  }
  return rows
}
