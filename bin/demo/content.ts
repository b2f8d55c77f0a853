// What the world of the stand-in must give: figures by the rules of its content, and for the whole world
// as they are written down.
import { readImages, readPosts, type PoolFile, type Post } from '../../test/stand-ins/platforms/index.ts'

const dayMs = 86_400_000

/** Known figures of the whole world; a change of the content or of a rule shows here first. */
const written = {
  posts: 3207,
  pages: 81,
  favourites: 44_275_398,
  reblogs: 14_448_644,
  replies: 1_674_570,
  files: 321,
  bytes: 6_119_844,
  rejected: 2,
  byRange: [1768, 1352, 87],
  tagged: [154, 146, 2]
}

export interface Expected {
  posts: readonly Post[]
  files: readonly PoolFile[]
  pages: number
  favourites: number
  reblogs: number
  replies: number
  bytes: number
  rejected: readonly number[]
  /** Three ranges of 400 days that hold every post. */
  ranges: ReadonlyArray<{ from: string, to: string, posts: number, tagged: number }>
  /** Posts with the tag of the report. */
  tagged: number
  /** Files with a GPS directory, and those of them with a position. */
  gps: { directories: readonly number[], positions: readonly number[] }
  /** Counts of the ledger at which something happens. */
  at: { cutX: number, cutY: number, mongo: number, server: number, redis: number, io: number }
  /** Files that the stand-in cuts once. */
  cut: readonly number[]
}

export const reportTag = 'actonclimate'

/** The figures of the whole world or of the small one. Throws where the whole one is not what is written down. */
export function expectedOf ({ isSmall }: { isSmall: boolean }): Expected {
  const all = readPosts()
  const posts = isSmall ? all.slice(-600) : all
  const shown = new Set(posts.flatMap(({ media }) => media === null ? [] : [media]))
  const files = readImages().filter(({ n }) => shown.has(n))
  const has = (n: number): boolean => shown.has(n)
  const ranges = rangesOf(posts)
  const scale = isSmall ? 5 : 1
  const expected: Expected = {
    posts,
    files,
    pages: Math.ceil(posts.length / 40),
    favourites: sum(posts, 'favourites'),
    reblogs: sum(posts, 'reblogs'),
    replies: sum(posts, 'replies'),
    bytes: files.reduce((total, { bytes }) => total + bytes, 0),
    rejected: [148, 289].filter(has),
    ranges,
    tagged: ranges.reduce((total, { tagged }) => total + tagged, 0),
    gps: { directories: [64, 140, 276, 318].filter(has), positions: [64, 276].filter(has) },
    at: {
      cutX: 20 / scale, cutY: 150 / scale, mongo: 40 / scale, server: 60 / scale, redis: 100 / scale, io: 200 / scale
    },
    cut: [84, 289].filter(has)
  }
  if (!isSmall) compareWithWritten(expected)
  return expected
}

function rangesOf (posts: readonly Post[]): Expected['ranges'] {
  const start = Date.UTC(2014, 7, 14)
  return [0, 1, 2].map((index) => {
    const from = start + index * 400 * dayMs
    const to = from + 400 * dayMs
    const inside = posts.filter(({ createdAt }) => createdAt >= from && createdAt < to)
    return {
      from: new Date(from).toISOString(),
      to: new Date(to).toISOString(),
      posts: inside.length,
      tagged: inside.filter(({ tags }) => tags.includes(reportTag)).length
    }
  })
}

function sum (posts: readonly Post[], field: 'favourites' | 'reblogs' | 'replies'): number {
  return posts.reduce((total, post) => total + post[field], 0)
}

function compareWithWritten (expected: Expected): void {
  const found = {
    posts: expected.posts.length,
    pages: expected.pages,
    favourites: expected.favourites,
    reblogs: expected.reblogs,
    replies: expected.replies,
    files: expected.files.length,
    bytes: expected.bytes,
    rejected: expected.rejected.length,
    byRange: expected.ranges.map(({ posts }) => posts),
    tagged: expected.ranges.map(({ tagged }) => tagged)
  }
  if (JSON.stringify(found) !== JSON.stringify(written)) {
    throw new Error(`The content of the stand-in is not what is written down: ${JSON.stringify(found)}`)
  }
}
