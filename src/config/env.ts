export interface EnvVariable {
  name: string
  description: string
  /** Absent: the variable may stay unset. */
  default?: string
  isSecret?: boolean
  pattern?: RegExp
  /** The words it may be. */
  oneOf?: readonly string[]
  isInteger?: { min: number, max: number }
}

/** The one list of variables: `.env.example`, the table in the documents and the redaction paths are made of it. */
export const envVariables = [
  {
    name: 'NODE_ENV',
    description: 'What this installation is for; production refuses unsafe settings',
    default: 'production', oneOf: ['development', 'production', 'test']
  },
  {
    name: 'LOG_LEVEL',
    description: 'Least level that is written',
    default: 'info', oneOf: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']
  },
  {
    name: 'METRICS_PORT',
    description: 'Port of a worker for health and metrics; 0 takes any free one',
    default: '0', isInteger: { min: 0, max: 65535 }
  },
  {
    name: 'METRICS_HOST',
    description: 'Address that the port of a worker listens on, which has no authentication: private networks only',
    default: '127.0.0.1'
  },
  { name: 'HTTP_HOST', description: 'Address the server listens on', default: '127.0.0.1' },
  {
    name: 'HTTP_PORT',
    description: 'Port the server listens on; 0 takes any free one',
    default: '7300', isInteger: { min: 0, max: 65535 }
  },
  {
    name: 'HTTP_PUBLIC_URL',
    description: 'Origin under which people reach the server; made of host and port when unset',
    pattern: /^https?:\/\/[^/]+$/
  },
  {
    name: 'HTTP_FLOOD_PER_MIN',
    description: 'Requests a minute per address and process',
    default: '3000', isInteger: { min: 1, max: 100_000_000 }
  },
  {
    name: 'HTTP_MEDIA_PER_MIN',
    description: 'Requests of signed media a minute per address and process',
    default: '12000', isInteger: { min: 1, max: 100_000_000 }
  },
  {
    name: 'HTTP_LIMIT_SCALE',
    description: 'Factor on every rate class; benches raise it',
    default: '1', isInteger: { min: 1, max: 1_000_000 }
  },
  {
    name: 'HTTP_DRAIN_DELAY_MS',
    description: 'Wait between not ready and no new connections',
    default: '0', isInteger: { min: 0, max: 60_000 }
  },
  {
    name: 'HTTP_TRUSTED_PROXIES',
    description: 'Addresses or ranges of proxies whose forwarding headers count, separated by commas',
    default: ''
  },
  {
    name: 'MONGO_URL',
    description: 'MongoDB replica set, 6.0 or later',
    default: 'mongodb://127.0.0.1:27017/?replicaSet=rs0', isSecret: true, pattern: /^mongodb(\+srv)?:\/\/.+/
  },
  { name: 'MONGO_DB', description: 'Name of the database', default: 'switchyard', pattern: /^[A-Za-z0-9_-]{1,60}$/ },
  {
    name: 'REDIS_URL',
    description: 'Redis 7 or later, noeviction; redis-cluster://host:port,host:port for a cluster',
    default: 'redis://127.0.0.1:6379', isSecret: true, pattern: /^redis(s|-cluster)?:\/\/.+/
  },
  {
    name: 'KEY_PREFIX',
    description: 'Prefix of every key in Redis',
    default: 'switchyard', pattern: /^[A-Za-z0-9_-]{1,60}$/
  },
  { name: 'DATA_DIR', description: 'Folder for everything that is kept on disk', default: '.data' },
  {
    name: 'SCRATCH_DIR',
    description: 'Folder for part files, shared by the workers of a machine; scratch below DATA_DIR when unset'
  },
  {
    name: 'SMTP_URL',
    description: 'Mail server; without it mails are captured and shown in the console',
    isSecret: true, pattern: /^smtps?:\/\/.+/
  },
  { name: 'MAIL_FROM', description: 'Sender of every mail', default: 'Switchyard <no-reply@switchyard.localhost>' },
  {
    name: 'MAIL_DRIVER',
    description: 'smtp where SMTP_URL is set, else capture, which production refuses',
    oneOf: ['smtp', 'capture']
  },
  {
    name: 'MASTER_KEYS',
    description: 'Keys `id:32 bytes`, base64 or hex, by commas, first is current; made in DATA_DIR outside production',
    isSecret: true
  },
  {
    name: 'FETCH_ALLOW',
    description: 'host:port list that safe fetch admits although private or not https; production refuses it',
    default: ''
  },
  {
    name: 'FETCH_CONTACT',
    description: 'Address in the User-Agent of outgoing calls',
    default: 'https://switchyard.example'
  },
  {
    name: 'FETCH_SEGMENTS',
    description: 'Connections that share a download of 40 MiB and more',
    default: '1', isInteger: { min: 1, max: 4 }
  },
  {
    name: 'FETCH_PROCESS_KIB_S',
    description: 'KiB a second of all downloads of a process; 0 is no limit',
    default: '0', isInteger: { min: 0, max: 1_000_000_000 }
  },
  {
    name: 'FETCH_WORKSPACE_KIB_S',
    description: 'KiB a second of all downloads of a workspace; 0 is no limit',
    default: '0', isInteger: { min: 0, max: 1_000_000_000 }
  },
  {
    name: 'FETCH_DOWNLOAD_KIB_S',
    description: 'KiB a second of one download; 0 is no limit',
    default: '0', isInteger: { min: 0, max: 1_000_000_000 }
  },
  { name: 'MEDIA_SCANNER', description: 'Virus scanner; none only outside production', oneOf: ['clamd', 'none'] },
  { name: 'DOMAINS', description: 'Domains that are switched on, separated by commas, or all', default: 'all' },
  {
    name: 'BACKUP_KEY',
    description: 'Key of the backups, 32 random bytes in base64 or hex; without it none is made, and in production ' +
      'each night that should have made one fails',
    isSecret: true
  },
  {
    name: 'BACKUP_STORE',
    description: 'Folder for backups, or the word storage; backups below DATA_DIR when unset'
  },
  { name: 'LOG_DIR', description: 'Folder whose rotated log files are cleared by age and size; none when unset' },
  { name: 'JOBS_PARTITIONS', description: 'Partitions of the queues', default: '1', isInteger: { min: 1, max: 256 } },
  {
    name: 'JOBS_DRAIN_S',
    description: 'Seconds in which the scaling signal wants a backlog to be gone; fewer ask for more workers',
    default: '60', isInteger: { min: 1, max: 86_400 }
  },
  {
    name: 'JOBS_SHUTDOWN_S',
    description: 'Seconds that a worker which is told to end waits for its runs',
    default: '20', isInteger: { min: 0, max: 3600 }
  },
  {
    name: 'LIVE_ORIGINS',
    description: 'Origins whose pages may open /live beside our own, separated by commas',
    default: ''
  },
  {
    name: 'LIVE_MAX_CONNECTIONS',
    description: 'Sockets per process',
    default: '25000', isInteger: { min: 1, max: 10_000_000 }
  },
  {
    name: 'LIVE_PER_USER',
    description: 'Sockets per user and process',
    default: '20', isInteger: { min: 1, max: 10_000_000 }
  },
  {
    name: 'LIVE_PER_IP',
    description: 'Sockets per address and process',
    default: '100', isInteger: { min: 1, max: 10_000_000 }
  },
  {
    name: 'LIVE_UNAUTHENTICATED',
    description: 'Sockets per process that have not sent connect yet',
    default: '1000', isInteger: { min: 1, max: 10_000_000 }
  },
  { name: 'LIVE_SUBS', description: 'Subscriptions per socket', default: '128', isInteger: { min: 1, max: 100_000 } },
  {
    name: 'LIVE_CPS',
    description: 'Commands a second per socket',
    default: '50', isInteger: { min: 1, max: 10_000_000 }
  },
  {
    name: 'LIVE_HANDSHAKES_PER_SEC',
    description: 'New sockets a second and process',
    default: '300', isInteger: { min: 1, max: 10_000_000 }
  },
  {
    name: 'LIVE_DRAIN_MS',
    description: 'Time over which the sockets of a stopping server are spread',
    default: '25000', isInteger: { min: 0, max: 600_000 }
  }
] as const satisfies readonly EnvVariable[]

export type EnvName = typeof envVariables[number]['name']
