import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { domains, type Config, type Domain, type Environment } from './config.ts'
import { envVariables, type EnvName, type EnvVariable } from './env.ts'
import { parseMasterKeys, parseSecretKey } from './master-keys.ts'

export type { Config, Domain, Environment } from './config.ts'
export { envVariables, type EnvName, type EnvVariable } from './env.ts'
export { createMasterKeys } from './master-keys.ts'

/** All that is wrong with the environment, one sentence a variable; no value of a secret is ever in it. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly string[]

  constructor (problems: readonly string[]) {
    super(`The configuration has ${problems.length} ${problems.length === 1 ? 'error' : 'errors'}:\n` +
      problems.map((problem) => `  - ${problem}`).join('\n'))
    this.problems = problems
  }
}

type Values = Record<EnvName, string>

/** Reads every variable, tells every error at once. Throws `ConfigError`. */
export function loadConfig (environment: Record<string, string | undefined>): Config {
  const problems: string[] = []
  const values = readValues(environment, problems)
  const config = build(values, problems)
  problems.push(...crossChecks(config, values))
  if (problems.length > 0) throw new ConfigError(problems)
  return deepFreeze(config)
}

function readValues (environment: Record<string, string | undefined>, problems: string[]): Values {
  return Object.fromEntries(envVariables.map((variable: EnvVariable) => {
    const given = environment[variable.name]
    const value = given === undefined || given === '' ? variable.default ?? '' : given
    const problem = value === '' ? undefined : problemOf(variable, value)
    if (problem !== undefined) problems.push(`${variable.name} ${problem}`)
    return [variable.name, value]
  })) as Values
}

function problemOf ({ oneOf, isInteger, pattern, isSecret }: EnvVariable, value: string): string | undefined {
  const said = isSecret === true ? '' : `, not "${value}"`
  if (oneOf !== undefined && !oneOf.includes(value)) return `must be one of ${oneOf.join(', ')}${said}.`
  if (isInteger !== undefined && !isIntegerIn(value, isInteger)) {
    return `must be a whole number from ${isInteger.min} to ${isInteger.max}${said}.`
  }
  if (pattern !== undefined && !pattern.test(value)) return `does not have the form ${pattern.source}${said}.`
  return undefined
}

function isIntegerIn (value: string, { min, max }: { min: number, max: number }): boolean {
  return /^\d{1,12}$/.test(value) && Number(value) >= min && Number(value) <= max
}

function build (values: Values, problems: string[]): Config {
  const mailDriver = values.MAIL_DRIVER === '' ? (values.SMTP_URL === '' ? 'capture' : 'smtp') : values.MAIL_DRIVER
  return {
    environment: values.NODE_ENV as Environment,
    version: productVersion(),
    logLevel: values.LOG_LEVEL,
    metricsPort: Number(values.METRICS_PORT),
    metricsHost: values.METRICS_HOST,
    dataDir: resolve(values.DATA_DIR),
    scratchDir: values.SCRATCH_DIR === '' ? join(resolve(values.DATA_DIR), 'scratch') : resolve(values.SCRATCH_DIR),
    domains: readDomains(values.DOMAINS, problems),
    masterKeys: parseMasterKeys(values.MASTER_KEYS, problems),
    http: {
      host: values.HTTP_HOST,
      port: Number(values.HTTP_PORT),
      publicUrl: values.HTTP_PUBLIC_URL,
      floodPerMin: Number(values.HTTP_FLOOD_PER_MIN),
      mediaPerMin: Number(values.HTTP_MEDIA_PER_MIN),
      limitScale: Number(values.HTTP_LIMIT_SCALE),
      drainDelayMs: Number(values.HTTP_DRAIN_DELAY_MS),
      trustedProxies: list(values.HTTP_TRUSTED_PROXIES)
    },
    mongo: { url: values.MONGO_URL, database: values.MONGO_DB },
    redis: { url: values.REDIS_URL, prefix: values.KEY_PREFIX },
    mail: { driver: mailDriver as 'smtp' | 'capture', url: values.SMTP_URL, from: values.MAIL_FROM },
    fetch: {
      allow: list(values.FETCH_ALLOW),
      contact: values.FETCH_CONTACT,
      segments: Number(values.FETCH_SEGMENTS),
      rates: {
        process: Number(values.FETCH_PROCESS_KIB_S) * 1024,
        workspace: Number(values.FETCH_WORKSPACE_KIB_S) * 1024,
        download: Number(values.FETCH_DOWNLOAD_KIB_S) * 1024
      }
    },
    media: { scanner: (values.MEDIA_SCANNER === '' ? 'none' : values.MEDIA_SCANNER) as 'clamd' | 'none' },
    jobs: {
      partitions: Number(values.JOBS_PARTITIONS),
      drainS: Number(values.JOBS_DRAIN_S),
      shutdownMs: Number(values.JOBS_SHUTDOWN_S) * 1000,
      backupKey: values.BACKUP_KEY === '' ? null : parseSecretKey('BACKUP_KEY', values.BACKUP_KEY, problems),
      backupStore: readBackupStore(values),
      logDir: values.LOG_DIR === '' ? '' : resolve(values.LOG_DIR)
    },
    live: {
      origins: list(values.LIVE_ORIGINS),
      maxConnections: Number(values.LIVE_MAX_CONNECTIONS),
      perUser: Number(values.LIVE_PER_USER),
      perIp: Number(values.LIVE_PER_IP),
      unauthenticated: Number(values.LIVE_UNAUTHENTICATED),
      subs: Number(values.LIVE_SUBS),
      commandsPerSec: Number(values.LIVE_CPS),
      handshakesPerSec: Number(values.LIVE_HANDSHAKES_PER_SEC),
      drainMs: Number(values.LIVE_DRAIN_MS)
    }
  }
}

function crossChecks (config: Config, values: Values): string[] {
  const problems: string[] = []
  if (config.mail.driver === 'smtp' && config.mail.url === '') problems.push('SMTP_URL is needed by MAIL_DRIVER=smtp.')
  if (config.media.scanner === 'clamd') {
    problems.push('MEDIA_SCANNER=clamd is not available in this version; set MEDIA_SCANNER=none outside production.')
  }
  if (config.environment === 'production') problems.push(...productionChecks(config))
  else if (values.MASTER_KEYS === '' && config.masterKeys.length === 0) {
    problems.push('MASTER_KEYS is missing; npm start and npm run migrate make it below DATA_DIR outside production.')
  }
  return problems
}

function productionChecks (config: Config): string[] {
  const problems: string[] = []
  if (config.masterKeys.length === 0) problems.push('MASTER_KEYS is missing; production never makes its own.')
  if (config.fetch.allow.length > 0) problems.push('FETCH_ALLOW is refused in production.')
  if (config.mail.driver === 'capture') {
    problems.push('MAIL_DRIVER=capture is refused in production; set SMTP_URL.')
  }
  if (config.domains.includes('media')) {
    problems.push('Media needs a virus scanner in production: MEDIA_SCANNER=none is refused, ' +
      'so leave media (and social, which needs it) out of DOMAINS.')
  }
  return problems
}

const needs: Partial<Record<Domain, readonly Domain[]>> = {
  social: ['identity', 'media'],
  media: ['identity'],
  analytics: ['identity'],
  notifications: ['identity']
}

/** Backups lie beside the data unless they are told to go elsewhere: better than none, and no second machine. */
function readBackupStore ({ BACKUP_STORE, DATA_DIR }: Values): string {
  if (BACKUP_STORE === 'storage') return BACKUP_STORE
  return BACKUP_STORE === '' ? join(resolve(DATA_DIR), 'backups') : resolve(BACKUP_STORE)
}

function readDomains (value: string, problems: string[]): readonly Domain[] {
  const named = value === 'all' ? [...domains] : list(value)
  for (const name of named) {
    if (!domains.includes(name as Domain)) problems.push(`DOMAINS names "${name}"; there are ${domains.join(', ')}.`)
    for (const need of needs[name as Domain] ?? []) {
      if (!named.includes(need)) problems.push(`DOMAINS has ${name}, which needs ${need}.`)
    }
  }
  return domains.filter((domain) => named.includes(domain))
}

function list (value: string): string[] {
  return value.split(',').map((part) => part.trim()).filter((part) => part !== '')
}

function productVersion (): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

function deepFreeze<T extends object> (value: T): T {
  for (const inner of Object.values(value)) {
    if (typeof inner === 'object' && inner !== null && !Buffer.isBuffer(inner)) deepFreeze(inner)
  }
  return Object.freeze(value)
}
