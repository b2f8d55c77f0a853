import { envVariables, type EnvVariable } from '../../../src/config/index.ts'

/** Names that are secrets wherever they stand; secret variables join them under both of their spellings. */
const words = [
  'password', 'newPassword', 'token', 'accessToken', 'refreshToken', 'secret', 'clientSecret', 'code', 'verifier',
  'authorization', 'cookie', 'ticket', 'apiKey'
]

const parents = ['headers', 'body', 'data', 'config', 'options']

/** Paths that the logger hides, made of the list of variables and of the words above. */
export function redactionPaths (): string[] {
  const secrets = envVariables.filter((variable: EnvVariable) => variable.isSecret === true).map(({ name }) => name)
  const names = [...words, ...secrets, ...secrets.map(camel)]
  return [...names, ...parents.flatMap((parent) => names.map((name) => `${parent}.${name}`)), 'headers["set-cookie"]']
}

function camel (name: string): string {
  return name.toLowerCase().replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
}
