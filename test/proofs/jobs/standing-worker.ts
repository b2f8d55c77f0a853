// A worker of its own process, to be killed: its environment comes as an argument.
import { open, type Environment } from '../../jobs/standing-stage.ts'

await open(JSON.parse(process.argv[2] ?? '{}') as Environment)
process.send?.('ready')
