// The stand-in of the bench as a process: all posts without media, or only the posts that carry a file.
import { runAsProcess } from '../../test/stand-ins/process.ts'
import { readPosts, startPlatforms } from '../../test/stand-ins/platforms/index.ts'

const posts = process.argv[2] === 'media'
  ? readPosts().filter(({ media }) => media !== null)
  : readPosts().map((post) => ({ ...post, media: null }))

await runAsProcess(async () => {
  const platforms = await startPlatforms({ posts })
  return { ready: { origin: platforms.origin, control: platforms.controlOrigin }, close: platforms.close }
})
