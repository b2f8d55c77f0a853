// A worker as its supervisor sees it: a channel, a small port, and what the file named in the environment makes it say.
import { appendFileSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

interface Said { required: number, bytes: number, isBroken: boolean }

const file = process.argv[2] ?? ''
const said = (): Said => JSON.parse(readFileSync(file, 'utf8')) as Said
appendFileSync(`${file}.pids`, `${process.pid}\n`)
if (said().isBroken) process.exit(3)

const server = createServer((request, response) => {
  const { required, bytes } = said()
  // Only the first of them is too big.
  const isFirst = readFileSync(`${file}.pids`, 'utf8').startsWith(`${process.pid}\n`)
  response.end(request.url === '/scaling'
    ? JSON.stringify([{ queue: 'fast', required, reason: 'said' }, { queue: 'video', required: 9, reason: 'not ours' }])
    : `# HELP x\nswitchyard_process_resident_memory_bytes{role="worker"} ${isFirst ? bytes : 1}\n`)
})
server.listen(0, '127.0.0.1', () => {
  process.send?.({ msg: 'ready', address: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
})
process.once('SIGTERM', () => { process.exit(0) })
process.once('disconnect', () => { process.exit(1) })
