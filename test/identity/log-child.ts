// A process that logs everything it can to stdout while somebody uses it; its secrets go to stderr as one line.
import { drain } from '../helper.ts'
import { buildPeople } from './app.ts'

const base = '/v1/identity'
const undo: Array<() => unknown> = []
const app = await buildPeople({ teardown: (one) => { undo.push(one) } }, { role: 'both' })

async function post (path: string, payload: object, headers: Record<string, string> = {}) {
  return (await app.inject({ method: 'POST', url: `${base}${path}`, payload, headers })).json<Record<string, string>>()
}

const password = 'a passphrase nobody logs'
const email = 'logged@example.org'
const { flowId = '' } = await post('/registrations', { email, password, displayName: 'Logged' })
await drain(app)
const code = (await app.identity.codeMail(flowId))?.code ?? ''
await post(`/registrations/${flowId}/verify`, { code, client: 'native' })
const login = await post('/logins', { email, password, client: 'native' })
await post('/logins', { email, password: 'a wrong one, also secret', client: 'native' })
const refreshed = await post('/tokens/refresh', { refreshToken: login['refreshToken'] })
const headers = { authorization: `Bearer ${refreshed['accessToken'] ?? ''}` }
await app.inject({ url: `${base}/users/me`, headers })
await app.inject({ url: `${base}/users/me`, headers: { authorization: `${headers.authorization}x` } })
await app.inject({ url: `${base}/users/me?token=${login['refreshToken'] ?? ''}`, headers })
await post('/tokens/refresh', { refreshToken: `${login['refreshToken'] ?? ''}x` })
await app.inject({
  method: 'POST',
  url: `${base}/logins`,
  payload: `{"password":"${password}`,
  headers: { 'content-type': 'application/json' }
})
const operator = await app.identity.makeFirstOperator('op@example.org', { renew: true })

for (const one of undo.reverse()) await one()
process.stderr.write(`${JSON.stringify({
  password,
  wrongPassword: 'a wrong one, also secret',
  oldAccess: login['accessToken'],
  oldRefresh: login['refreshToken'],
  access: refreshed['accessToken'],
  refresh: refreshed['refreshToken'],
  ...(operator === null ? {} : { oneTime: operator.password })
})}\n`)
