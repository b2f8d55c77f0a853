import { buildApp } from '../plugins/index.ts'
import { asyncapiDocument } from '../plugins/http/openapi/asyncapi.ts'
import { openapiDocument } from '../plugins/http/openapi/document.ts'
import { errorsMarkdown } from '../plugins/http/openapi/errors.ts'
import { loadConfig } from '../src/config/index.ts'
import { configurationTable, envExample } from './configuration.ts'
import { roomsPicture } from './rooms.ts'

/** No key of anybody: documents are made without stores and without secrets. */
const offlineEnvironment = {
  NODE_ENV: 'development',
  LOG_LEVEL: 'silent',
  MASTER_KEYS: `documents:${Buffer.from(Array.from({ length: 32 }, (_, at) => (at * 73 + 199) % 256)).toString('hex')}`
}

/** Every generated file by its path. */
export async function generatedFiles (): Promise<Map<string, string>> {
  const config = loadConfig(offlineEnvironment)
  const app = await buildApp({ role: 'server', config, offline: true })
  try {
    await app.ready()
    return new Map([
      ['openapi/openapi.json', json(openapiDocument(app))],
      ['openapi/asyncapi.json', json(asyncapiDocument(app.registry, config.version))],
      ['docs/errors.md', errorsMarkdown(app.registry.errors)],
      ['docs/configuration.md', configurationTable()],
      ['docs/architecture/rooms.md', await roomsPicture()],
      ['.env.example', envExample()]
    ])
  } finally {
    await app.close()
  }
}

function json (document: object): string {
  return `${JSON.stringify(document, null, 2)}\n`
}
