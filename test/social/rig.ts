// An app with a person, and a stand-in with as few posts as the test needs.
import { setTimeout as sleep } from 'node:timers/promises'
import type { ChangeStreamDocument } from 'mongodb'
import type { SignedIn } from '../sign-in.ts'
import { build, drain, signIn, testEnvironment, type TestApp } from '../helper.ts'
import { readPosts, startPlatforms, type Platforms } from '../stand-ins/platforms/index.ts'

// Answers are read by name; a missing member shows as a failed assertion.

type Json = any

export interface Answer { status: number, headers: Record<string, unknown>, body: Json }

export interface Rig {
  app: TestApp
  /** What another process of the same installation is started with. */
  environment: Record<string, string>
  platforms: Platforms
  me: SignedIn
  call: (
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE', url: string, body?: object, as?: RequestOptions) => Promise<Answer>
  /** Connects by OAuth; answers the account's id. */
  connect: () => Promise<string>
  /** Asks for a sync and waits for its end; answers the operation. */
  sync: (accountId: string, body?: object) => Promise<Json>
  listRequests: () => number
}

interface RequestOptions { who?: SignedIn | null, headers?: Record<string, string> }

interface Test { teardown (undo: () => unknown): unknown }

export const publicUrl = 'http://127.0.0.1:7300'

/** The newest `posts` of the content, without media where none is asked for. */
export async function startRig (
  t: Test, { posts = 100, hasMedia = false, role = 'both', allow = true }: {
    posts?: number, hasMedia?: boolean, role?: 'server' | 'both', allow?: boolean
  } = {}
): Promise<Rig> {
  const content = readPosts().slice(-posts).map((post) => hasMedia ? post : { ...post, media: null })
  const platforms = await startPlatforms({ posts: content, mediaBytesPerSecond: 50_000_000 })
  t.teardown(async () => { await platforms.close() })
  const { host } = new URL(platforms.origin)
  const environment = testEnvironment({ HTTP_PUBLIC_URL: publicUrl, ...(allow ? { FETCH_ALLOW: host } : {}) })
  const app = await build(t, { role, config: environment })
  const me = await signIn(app)

  const call: Rig['call'] = async (method, url, body, { who = me, headers = {} } = {}) => {
    const answer = await app.inject({
      method,
      url,
      headers: {
        ...(who === null ? {} : who.headers),
        ...(method === 'POST' ? { 'idempotency-key': crypto.randomUUID() } : {}),
        ...headers
      },
      ...(body === undefined ? {} : { payload: body })
    })
    const isJson = String(answer.headers['content-type']).includes('json')
    return { status: answer.statusCode, headers: answer.headers, body: isJson ? answer.json() : answer.body }
  }

  return {
    app,
    environment,
    platforms,
    me,
    call,
    listRequests: () => platforms.ledger.counts().listRequests,
    async connect () {
      const { body } = await call('POST', '/v1/social/connections', {
        platform: 'mastodon', instance: platforms.origin, method: 'oauth'
      })
      const answer = await call('GET', await authorize(body.authorizeUrl), undefined, { who: null })
      if (answer.status !== 303) throw new Error(JSON.stringify(answer.body))
      const { accountId } = (await call('GET', `/v1/social/connections/${body.connectionId}`)).body
      // Its rhythm would begin a run of its own in the middle of one test in fifty.
      await app.db.collection<{ _id: string }>('social.accounts').updateOne(
        { _id: accountId }, { $set: { 'syncPolicy.everyMinutes': 1440 } })
      if (role === 'both') await drain(app)
      return accountId
    },
    async sync (accountId, body = {}) {
      const asked = await call('POST', `/v1/social/accounts/${accountId}/sync`, body)
      if (asked.status !== 202) throw new Error(JSON.stringify(asked.body))
      const end = performance.now() + 30_000
      for (;;) {
        const operation = (await call('GET', String(asked.headers['location']))).body
        if (!['pending', 'running'].includes(operation.state) || performance.now() > end) return operation
        await sleep(20)
      }
    }
  }
}

/** Goes where the person goes: answers path and query of our callback. */
export async function authorize (authorizeUrl: string, demo = '1'): Promise<string> {
  const answer = await fetch(`${authorizeUrl}&demo=${demo}`, { redirect: 'manual' })
  const location = answer.headers.get('location')
  if (location === null) throw new Error(`the platform answered ${answer.status}`)
  const { pathname, search } = new URL(location)
  return pathname + search
}

/** Counts what happens in a collection meanwhile, by a change stream that stands before the work begins. */
export async function watching (
  app: TestApp, collection: string, work: () => Promise<unknown>
): Promise<ChangeStreamDocument[]> {
  const { operationTime } = await app.db.command({ hello: 1 })
  const stream = app.db.collection(collection).watch([], { startAtOperationTime: operationTime })
  const seen: ChangeStreamDocument[] = []
  stream.on('change', (change) => { seen.push(change) })
  await work()
  // A mark of our own tells that everything before it was seen.
  await app.db.collection(collection).insertOne(
    { _id: 'mark' as never, workspaceId: 'mark', accountId: 'mark', remoteId: 'mark', postId: 'mark' })
  while (!seen.some((change) => 'documentKey' in change && String(change.documentKey._id) === 'mark')) await sleep(10)
  await stream.close()
  await app.db.collection(collection).deleteOne({ _id: 'mark' as never })
  return seen.filter((change) => !('documentKey' in change) || String(change.documentKey._id) !== 'mark')
}
