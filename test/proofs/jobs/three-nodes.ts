// A MongoDB replica set of three nodes, so that one can step down and another one leads.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { MongoClient } from 'mongodb'
import { findMongod } from '../../../bin/services/binaries.ts'
import { hold, type Held } from '../../../bin/services/hold.ts'
import { portFor } from '../../../bin/services/ports.ts'
import { until } from '../../jobs/rig.ts'

const setName = 'rs0'

interface ThreeNodes {
  url: string
  /** Makes the node that leads step down; resolves when another one leads, with its name. */
  stepDown (): Promise<string>
  stop (): Promise<void>
}

/** Three nodes below a folder, with a leader. */
export async function startThreeNodes (root: string): Promise<ThreeNodes> {
  const binary = await findMongod(process.env, () => undefined)
  const held: Held[] = []
  const hosts: string[] = []
  for (const nth of [1, 2, 3]) {
    const [dir, port] = [join(root, `mongo-${nth}`), await portFor(`${root} mongo ${nth}`)]
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    held.push(await hold([
      binary, '--dbpath', dir, '--port', String(port), '--bind_ip', '127.0.0.1', '--replSet', setName, '--quiet',
      '--oplogSize', '512', '--wiredTigerCacheSizeGB', '0.25', '--nounixsocket',
      '--setParameter', 'transactionLifetimeLimitSeconds=15'
    ], `${dir}.log`))
    hosts.push(`127.0.0.1:${port}`)
    // Only a port that is listened on is not found free again.
    await until('a node answers', async () => await answers(`127.0.0.1:${port}`), 30_000)
  }
  const url = `mongodb://${hosts.join()}/?replicaSet=${setName}`
  await asked(hosts[0] ?? '', { replSetInitiate: { _id: setName, members: hosts.map((host, _id) => ({ _id, host })) } })
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 30_000 })
  const primary = async (): Promise<string> => (await client.db('admin').command({ hello: 1 }))['primary'] as string
  await client.connect()
  return {
    url,
    async stepDown () {
      const old = await primary()
      await client.db('admin').command({ replSetStepDown: 10, secondaryCatchUpPeriodSecs: 10 })
      await until('another one leads', async () => {
        await sleep(50)
        return await primary().then((host) => host !== old, () => false)
      }, 30_000)
      return await primary()
    },
    async stop () {
      await client.close()
      await Promise.all(held.map(async (one) => { await one.stop() }))
    }
  }
}

async function asked (host: string, command: object): Promise<void> {
  const client = new MongoClient(`mongodb://${host}/`, { directConnection: true, serverSelectionTimeoutMS: 500 })
  try {
    await client.db('admin').command(command)
  } finally {
    await client.close()
  }
}

async function answers (host: string): Promise<boolean> {
  return await asked(host, { ping: 1 }).then(() => true, () => false)
}
