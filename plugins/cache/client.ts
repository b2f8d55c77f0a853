import { Cluster, Redis, type RedisOptions } from 'ioredis'

/** What this house sets of a client. */
type ClientOptions = Pick<
  RedisOptions,
  'autoResubscribe' | 'commandTimeout' | 'connectTimeout' | 'lazyConnect' | 'maxRetriesPerRequest' | 'retryStrategy'
>

const clusterScheme = 'redis-cluster://'

/** Host and port of a store's address, or all of a cluster's, without its secret. */
export function hostOf (url: string): string {
  if (url.startsWith(clusterScheme)) return nodesIn(url).map(({ host, port }) => `${host}:${port}`).join(', ')
  try {
    return new URL(url).host
  } catch (cause) {
    throw new Error('REDIS_URL is not an address', { cause })
  }
}

/** A client of one Redis, or of a cluster named `redis-cluster://[user:password@]host:port,host:port`. */
export function createClient (url: string, options: ClientOptions): Redis {
  if (!url.startsWith(clusterScheme)) return new Redis(url, options)
  // What the house asks of a client both have; of `duplicate` a cluster has another form.
  return clusterOf(nodesIn(url), options) as unknown as Redis
}

/** The primaries behind a client: one, or those of a cluster. */
export function primariesOf (client: Redis): Redis[] {
  const one: unknown = client
  return one instanceof Cluster ? one.nodes('master') : [client]
}

interface Node { host: string, port: number, username?: string, password?: string }

type Nodes = Parameters<Cluster['duplicate']>[0]

function nodesIn (url: string): Node[] {
  const [hosts = '', secret] = url.slice(clusterScheme.length).replace(/\/.*$/, '').split('@').toReversed()
  return hosts.split(',').map((host) => {
    const { hostname, port, username, password } = new URL(`redis://${secret === undefined ? '' : `${secret}@`}${host}`)
    return {
      host: hostname,
      port: Number(port || 6379),
      ...(username === '' ? {} : { username: decodeURIComponent(username) }),
      ...(password === '' ? {} : { password: decodeURIComponent(password) })
    }
  })
}

function clusterOf (nodes: Node[], { lazyConnect = false, retryStrategy, ...options }: ClientOptions): Cluster {
  const [{ host: _host, port: _port, ...secret } = { host: '', port: 0 }] = nodes
  const cluster = new Cluster(nodes, {
    lazyConnect,
    // Channels of a shard are told by their own node only.
    shardedSubscribers: true,
    clusterRetryStrategy: (times) => retryStrategy?.(times) ?? 1000,
    redisOptions: { ...options, ...secret }
  })
  const duplicate = cluster.duplicate.bind(cluster)
  return Object.assign(cluster, {
    duplicate (first?: Nodes | ClientOptions, second?: Parameters<typeof duplicate>[1]): Cluster {
      if (first === undefined || Array.isArray(first)) return duplicate(first, second)
      const kept = { lazyConnect, ...(retryStrategy && { retryStrategy }), ...options }
      return clusterOf(nodes, { ...kept, ...first as ClientOptions })
    }
  })
}
