import neostandard, { plugins, resolveIgnoresFromGitignore } from 'neostandard'
import { ownLines } from './bin/lint/own-lines.js'

const entrypoints = ['routes/server.ts', 'workers/worker.ts', 'workers/migrate.ts']
const environmentReaders = [
  ...entrypoints, 'bin/**/*.ts', 'bench/**/*.ts', 'openapi/generate.ts',
  'test/helper.ts', 'test/browser.ts', 'test/before.ts', 'test/after.ts', 'test/stores.ts', 'test/proofs/**/*.ts', 'test/social/journey.test.ts'
]

const forbiddenSyntax = [
  { selector: 'TSEnumDeclaration', message: 'Node strips types and cannot strip an enum: use a union of literals.' },
  { selector: 'ExportAllDeclaration', message: 'A door names what it opens: no `export *`.' },
  ...['ImportDeclaration', 'ExportNamedDeclaration', 'ImportExpression'].map((node) => ({
    selector: `${node}[source.value=/^\\.{1,2}\\u002F(?!.*\\.(ts|json)$)/]`,
    message: 'A relative import ends in .ts.'
  }))
]

const typedRules = {
  '@typescript-eslint/await-thenable': 'error',
  '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
  '@typescript-eslint/no-floating-promises': ['error', {
    allowForKnownSafePromises: [{ from: 'package', package: '@tapjs/core', name: 'PromiseWithSubtest' }]
  }],
  '@typescript-eslint/no-misused-promises': 'error',
  '@typescript-eslint/only-throw-error': 'error',
  '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
  '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }]
}

const sizes = {
  complexity: ['error', 10],
  'max-lines': ['error', 300],
  'house/own-lines': ['error', 60],
  '@stylistic/max-len': ['error', { code: 120, ignoreUrls: true, ignoreRegExpLiterals: true }]
}

const byFetch = 'Use app.fetch: it refuses addresses that may not be called.'
/** Addresses that came from outside are reached in one place, which judges them first. */
const unguarded = {
  'no-restricted-globals': ['error', { name: 'fetch', message: byFetch }],
  'no-restricted-imports': ['error', {
    paths: [
      { name: 'undici', message: byFetch },
      ...['node:http', 'node:https'].map((name) => ({ name, importNames: ['request', 'get', 'default'], message: byFetch }))
    ]
  }]
}

export default [
  ...neostandard({ ts: true, ignores: [...resolveIgnoresFromGitignore(), 'openapi/*.json'] }),
  {
    files: ['**/*.ts'],
    plugins: { '@typescript-eslint': plugins['typescript-eslint'].plugin, n: plugins.n, house: { rules: { 'own-lines': ownLines } } },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      ...typedRules,
      ...sizes,
      'n/no-process-env': 'error',
      'no-console': 'error',
      'no-void': ['error', { allowAsStatement: true }],
      // It does not see that a callback changes the variable.
      'no-unmodified-loop-condition': 'off',
      '@stylistic/object-property-newline': 'off',
      // tsc says it, and lets a value and its type have one name.
      '@typescript-eslint/no-redeclare': 'off',
      'no-empty': ['error', { allowEmptyCatch: false }],
      'no-restricted-syntax': ['error', ...forbiddenSyntax]
    }
  },
  // An entrypoint asks its own children only.
  { files: ['{src,plugins,routes,workers}/**/*.ts'], ignores: ['plugins/{fetch,entrypoint}/**'], rules: unguarded },
  { files: environmentReaders, rules: { 'n/no-process-env': 'off' } },
  { files: ['test/**/*.ts'], rules: { 'house/own-lines': 'off' } },
  // Declarations of routes are data; over 200 lines they are one file for each endpoint.
  { files: ['routes/**/*.ts'], rules: { 'house/own-lines': ['error', 200] } }
]
