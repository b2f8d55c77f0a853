import t from 'tap'
import { openapiProblems } from '../../openapi/validate.ts'
import { chromium } from '../browser.ts'
import { echo, floor } from './floor.ts'

t.test('the document of an app is valid OpenAPI 3.1 and knows the problems of every route', async (t) => {
  const app = await floor(t, echo)
  const text = (await app.inject('/docs/openapi.json')).body
  t.same(await openapiProblems(text), [])
  t.not(
    (await openapiProblems(text.replaceAll('#/components/schemas/Problem', '#/components/schemas/Nothing'))).length, 0
  )
  const { paths, components } = JSON.parse(text)
  t.same(Object.keys(paths['/things'].post.responses), ['200', '400', '409', '413', '415', '422', '429', '500', '503'])
  t.equal(paths['/things'].get.responses['400'].$ref, '#/components/responses/BadRequest')
  t.match(
    paths['/metrics'].get, { 'x-permission': 'platform:metrics:read', security: [{ session: [] }, { apiKey: [] }] }
  )
  t.match(components.schemas.Problem, { type: 'object', required: ['type', 'title'] })
  t.notOk(paths['/console'], 'pages are not part of the interface')
})

t.test('every code has its page, for programs and for people', async (t) => {
  const app = await floor(t, echo)
  const { data } = (await app.inject('/errors')).json() as { data: Array<{ code: string }> }
  t.ok(data.some(({ code }) => code === 'http.validation_failed'))
  for (const { code } of data) t.match((await app.inject(`/errors/${code}`)).json(), { code, advice: String })
  const page = await app.inject({ url: '/errors/http.internal', headers: { accept: 'text/html,*/*' } })
  t.match(page.headers['content-type'], /^text\/html/)
  t.equal((await app.inject('/errors/http.nothing')).statusCode, 404)
})

t.test('modules have addresses that never change their content, and come compressed', async (t) => {
  const app = await floor(t, echo)
  const page = await app.inject('/console/any/place/of/its/history')
  const address = /\/assets\/[0-9a-f]{16}\/vendor\/preact\/dist\/preact\.mjs/.exec(page.body)?.[0] ?? ''
  const plain = await app.inject(address)
  t.equal(plain.headers['cache-control'], 'public, max-age=31536000, immutable')
  t.match(plain.headers['content-type'], /^text\/javascript/)
  const zipped = await app.inject({ url: address, headers: { 'accept-encoding': 'gzip' } })
  t.equal(zipped.headers['content-encoding'], 'gzip')
  t.ok(zipped.rawPayload.length < plain.rawPayload.length / 2)
  t.equal((await app.inject(address.replace(/[0-9a-f]{16}/, '0'.repeat(16)))).statusCode, 404)
  t.equal(
    (await app.inject({ url: '/console', headers: { 'if-none-match': page.headers.etag as string } })).statusCode, 304
  )
  t.equal((await app.inject('/')).headers.location, '/console')
  for (const path of ['../package.json', '..%2f..%2fpackage.json', 'console/../../package.json']) {
    const hash = address.slice(8, 24)
    t.equal((await app.inject(`/assets/${hash}/${path}`)).statusCode, 404, path)
  }
})

t.test('the docs page runs in a browser under its policy and asks nobody else', async (t) => {
  const app = await floor(t, echo, { HTTP_FLOOD_PER_MIN: '100000' })
  const address = await app.listen({ port: 0 })
  const { page, close } = await chromium()
  t.teardown(close)
  const complaints: string[] = []
  const foreign: string[] = []
  page.on('console', (message) => { if (message.type() === 'error') complaints.push(message.text()) })
  page.on('pageerror', (error) => { complaints.push(error.message) })
  page.on('request', (request) => {
    const url = request.url()
    if (!/^(data|blob):/.test(url) && !url.startsWith(address)) foreign.push(url)
  })
  await page.goto(`${address}/docs`)
  await page.getByText('What a code means and what to do').first().waitFor({ timeout: 20_000 })
  t.same(complaints, [])
  t.same(foreign, [])
})
