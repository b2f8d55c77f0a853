import { createHash, randomBytes } from 'node:crypto'
import {
  HttpError, actorRef, isDomainError, uuidv7,
  type Actor, type Clock, type KeyRing, type SafeFetch, type Tx
} from '../kernel/index.ts'
import type { SocialAccess } from './access.ts'
import type { OpenCall } from './calls.ts'
import type { Client, Connector } from './connectors/port.ts'
import type { Enrolment } from './enrolment.ts'
import { SocialError } from './errors.ts'
import type { ConnectionRepository, StoredConnection } from './repository/connections.ts'
import type { StoredAccount } from './repository/accounts.ts'
import type { Connection, NewConnection, Platform, Reconnect } from './schemas.ts'
import { errorOf } from './verdicts.ts'

interface Collaborators {
  connections: ConnectionRepository
  connectors: ReadonlyMap<string, Connector>
  access: SocialAccess
  enrolment: Enrolment
  openCall: OpenCall
  fetch: Pick<SafeFetch, 'check'>
  keyRing: KeyRing
  tx: Tx
  clock: Clock
  /** Origin under which people reach this server. */
  publicUrl: () => string
}

export interface CallbackAnswer { code?: string, state?: string, iss?: string, error?: string }

interface Start {
  connector: Connector
  instance: string
  returnTo: string
  /** The account that is signed in again. */
  reconnects: StoredAccount | null
}

const lifeMs = 15 * 60_000
const client = { name: 'Switchyard' }

export type Connections = ReturnType<typeof createConnections>

/** Signing accounts in (`social.md` 4.2). */
export function createConnections (collaborators: Collaborators) {
  const { connections, connectors, access } = collaborators

  async function start (actor: Actor, from: Start, method: 'oauth' | 'token', token?: string): Promise<Connection> {
    if (method === 'oauth') return await startOAuth(collaborators, actor, from)
    if (token === undefined) throw missing('/token')
    return await connectByToken(collaborators, actor, from, token)
  }

  return {
    /** Throws `platform_unknown`, `instance_refused`, `account_duplicate`, and what the platform answers. */
    async connect (actor: Actor, { platform, instance, method, token, returnTo }: NewConnection): Promise<Connection> {
      const connector = connectors.get(platform)
      if (connector === undefined) throw SocialError.platform_unknown()
      const from = {
        connector, instance: await originOf(collaborators, instance), returnTo: pathOf(returnTo), reconnects: null
      }
      return await start(actor, from, method, token)
    },

    /** Signs the same remote account in again; keeps id and history. */
    async reconnect (actor: Actor, accountId: string, { method, token, returnTo }: Reconnect): Promise<Connection> {
      const account = await access.account(actor, accountId)
      const connector = connectorOf(connectors, account.platform)
      const from = { connector, instance: account.instance, returnTo: pathOf(returnTo), reconnects: account }
      return await start(actor, from, method, token)
    },

    async get (actor: Actor, id: string): Promise<Connection> {
      return toConnection(await access.connection(actor, id))
    },

    /** Ends a sign-in: the state proves it and carries the actor. Answers where the browser goes on. */
    async complete (platform: string, { code, state, iss, error }: CallbackAnswer): Promise<{ returnTo: string }> {
      const connection = state === undefined
        ? undefined
        : await connections.take(platform, hashOf(state), collaborators.clock.now())
      if (connection === undefined) throw SocialError.connect_state_unknown()
      try {
        await finish(collaborators, connection, { code, iss, error })
        return { returnTo: connection.returnTo }
      } catch (error) {
        const said = errorOf(error, { isConnecting: true })
        const end = {
          state: 'failed' as const, error: isDomainError(said) ? said.code : 'http.internal', accountId: null
        }
        await connections.end(connection, end, collaborators.clock.now())
        throw said
      }
    }
  }
}

async function startOAuth (
  collaborators: Collaborators, actor: Actor, { connector, instance, returnTo, reconnects }: Start
): Promise<Connection> {
  const { connections, keyRing, tx, clock, publicUrl } = collaborators
  const redirectUri = `${publicUrl()}/v1/social/callbacks/${connector.platform}`
  const known = await clientOf(collaborators, connector, instance, redirectUri)
  const [state, verifier] = [secret(), secret()]
  const fresh = connectionOf(actor, { connector, instance, returnTo, reconnects }, state, clock.now())
  const sealed = await keyRing.seal(actor.workspaceId, Buffer.from(verifier), placeOf(actor.workspaceId, fresh.id))
  const connection = { ...fresh, redirectUri, verifier: sealed }
  await tx(async (session) => { await connections.add(session, connection) })
  const challenge = createHash('sha256').update(verifier).digest('base64url')
  const authorizeUrl = connector.begin({ instance, client: known, redirectUri, state, challenge })
  return { connectionId: fresh.id, state: 'pending', authorizeUrl }
}

function connectionOf (
  actor: Actor, { connector, instance, returnTo, reconnects }: Start, state: string, now: Date
): StoredConnection {
  return {
    id: uuidv7(),
    workspaceId: actor.workspaceId,
    platform: connector.platform,
    instance,
    stateHash: hashOf(state),
    verifier: null,
    redirectUri: '',
    actor: actorRef(actor),
    reconnects: reconnects?.id ?? null,
    returnTo,
    state: 'pending',
    error: null,
    accountId: null,
    usedAt: null,
    version: 1,
    createdAt: now,
    updatedAt: now,
    expiresAt: new Date(now.getTime() + lifeMs)
  }
}

async function connectByToken (
  { enrolment, openCall, connections, clock }: Collaborators, actor: Actor, start: Start, token: string
): Promise<Connection> {
  const { connector, instance, reconnects } = start
  const call = openCall({ platform: connector.platform, instance, token })
  try {
    const probe = await connector.probe(call)
    // A pasted token does not say what it may: reading one post shows it.
    await connector.readPosts({}, { remoteId: probe.remoteId, scopes: [] }, call, 1)
    const found = { probe, tokens: { accessToken: token }, scopes: connector.neededScopes }
    const now = clock.now()
    const connection = { ...connectionOf(actor, start, secret(), now), state: 'connected' as const, usedAt: now }
    const account = await enrolment.enrol(
      { actor: actorRef(actor), platform: connector.platform, instance, reconnects }, found,
      async (session, { id }) => { await connections.add(session, { ...connection, accountId: id }) })
    return toConnection({ ...connection, accountId: account.id })
  } catch (error) {
    throw errorOf(error, { isConnecting: true })
  }
}

async function finish (
  collaborators: Collaborators, connection: StoredConnection,
  { code, iss, error }: { code: string | undefined, iss: string | undefined, error: string | undefined }
): Promise<void> {
  const { connectors, connections, enrolment, access, openCall, keyRing, clock } = collaborators
  const { workspaceId, platform, instance, redirectUri, verifier: sealed } = connection
  if (error !== undefined || code === undefined) throw SocialError.connect_denied({ platform: { name: platform } })
  if (iss !== undefined && iss !== instance) throw SocialError.connect_state_unknown()
  if (sealed === null) throw SocialError.connect_state_unknown()
  const connector = connectorOf(connectors, platform)
  const known = await clientOf(collaborators, connector, instance, redirectUri)
  const verifier = (await keyRing.open(workspaceId, sealed, placeOf(workspaceId, connection.id))).toString()
  const { accessToken, scopes } =
    await connector.complete({ code, verifier, redirectUri, client: known }, openCall({ platform, instance }))
  if (connector.missingScopes(scopes).length > 0) throw SocialError.scope_missing({ platform: { name: platform } })
  const probe = await connector.probe(openCall({ platform, instance, token: accessToken }))
  const reconnects = connection.reconnects === null
    ? null
    : await access.account({ workspaceId } as Actor, connection.reconnects)
  await enrolment.enrol(
    { actor: connection.actor, platform, instance, reconnects },
    { probe, tokens: { accessToken }, scopes },
    async (session, account) => {
      await connections.end(
        connection, { state: 'connected', error: null, accountId: account.id }, clock.now(), session)
    })
}

/** The registration at this instance; made once per redirect address, since our own port may change. */
async function clientOf (
  { connections, openCall, keyRing, tx, clock, publicUrl }: Collaborators,
  connector: Connector, instance: string, redirectUri: string
): Promise<Client> {
  const { platform } = connector
  const key = `${platform}|${instance}|${redirectUri}`
  const found = await connections.findInstance(key) ?? await register()
  return {
    clientId: found.clientId, clientSecret: (await keyRing.open(key, found.clientSecret, 'client-secret')).toString()
  }

  async function register () {
    try {
      const call = openCall({ platform, instance })
      const { clientId, clientSecret } = await connector.register(
        { ...client, redirectUri, website: publicUrl() }, call)
      const sealed = await keyRing.seal(key, Buffer.from(clientSecret), 'client-secret')
      return await tx(async (session) =>
        await connections.addInstance(session, { key, clientId, clientSecret: sealed, readAt: clock.now() }))
    } catch (error) {
      throw errorOf(error, { isConnecting: true })
    }
  }
}

/** The registration that is there already; undefined where the token was pasted and none was made. */
export async function findClient (
  { connections, keyRing, publicUrl }: Pick<Collaborators, 'connections' | 'keyRing' | 'publicUrl'>,
  platform: Platform, instance: string
): Promise<Client | undefined> {
  const key = `${platform}|${instance}|${publicUrl()}/v1/social/callbacks/${platform}`
  const found = await connections.findInstance(key)
  if (found === undefined) return undefined
  return {
    clientId: found.clientId, clientSecret: (await keyRing.open(key, found.clientSecret, 'client-secret')).toString()
  }
}

/** The origin of what a person typed, checked before anything connects. Throws `instance_refused`. */
async function originOf ({ fetch }: Collaborators, text: string): Promise<string> {
  const written = /^[a-z][a-z0-9+.-]*:/i.test(text) && !/^[^/]+:\d+$/.test(text) ? text : `https://${text}`
  if (!URL.canParse(written)) throw SocialError.instance_refused()
  const { origin, username, password } = new URL(written)
  if (origin === 'null' || username !== '' || password !== '') throw SocialError.instance_refused()
  try {
    return (await fetch.check(origin, { httpsOnly: true })).origin
  } catch (cause) {
    if (isDomainError(cause, 'fetch.dns_failed')) throw SocialError.instance_unreachable({}, { cause })
    if (isDomainError(cause)) throw SocialError.instance_refused({}, { cause })
    throw cause
  }
}

/** A path of our own origin; anything that a browser would read as another host is refused. */
function pathOf (returnTo = '/console'): string {
  const own = 'http://own.invalid'
  if (!returnTo.startsWith('/') || !URL.canParse(returnTo, own)) throw missing('/returnTo')
  const url = new URL(returnTo, own)
  if (url.origin !== own) throw missing('/returnTo')
  return url.pathname + url.search + url.hash
}

function missing (pointer: string) {
  return HttpError.validation_failed({}, {
    errors: [{ in: 'body', pointer, code: 'invalid', detail: 'This value is missing or not allowed here.' }]
  })
}

export function connectorOf (connectors: ReadonlyMap<string, Connector>, platform: Platform): Connector {
  const connector = connectors.get(platform)
  if (connector === undefined) throw SocialError.platform_unknown()
  return connector
}

function toConnection ({ id, state, accountId, error }: StoredConnection): Connection {
  return {
    connectionId: id, state, ...(accountId === null ? {} : { accountId }), ...(error === null ? {} : { error })
  }
}

const secret = (): string => randomBytes(32).toString('base64url')

function hashOf (state: string): string {
  return createHash('sha256').update(state).digest('hex')
}

function placeOf (workspaceId: string, connectionId: string): string {
  return `${workspaceId}|${connectionId}|verifier`
}
