// One rule for each line of the arrows: src <- plugins <- routes | workers <- openapi | bin | test | bench.
const slices = '(jobs|fetch|system)'
const top = '^(openapi|bin|test|bench)/'
const entrypoints = '^(routes/server|workers/worker|workers/migrate)\\.ts$'
const capability = '^plugins/(?!domains/|index\\.ts$|entrypoint\\.ts$)'

function forbid (name, comment, from, to) {
  return { name, comment, severity: 'error', from, to }
}

function mayOnlyKnowSlice (names, slice) {
  return forbid(`capability-knows-slice-${slice}`, `Of the slices, these capabilities know ${slice}.`,
    { path: `^plugins/(?:${names})(\\.ts$|/)` },
    { path: `^src/${slices}/`, pathNot: `^src/${slice}/` })
}

export default {
  forbidden: [
    // Types that name each other are gone when the code runs; lint sees to it that a type is imported as one.
    forbid('no-cycles', 'Two that need each other are one, or need an event.',
      {}, { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } }),
    forbid('no-orphans', 'A file that nobody imports and that is no entrypoint is dead.',
      { orphan: true, pathNot: [entrypoints, '^(bin|bench|openapi|test)/', '^web/', '\\.d\\.ts$'] }, {}),
    forbid('declared-packages-only', 'A package that package.json does not name may be gone tomorrow.',
      {}, { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'undetermined'] }),
    forbid('resolvable', 'The import leads nowhere.', {}, { couldNotResolve: true }),
    forbid('no-development-package-in-production', 'Production installs without these.',
      { path: '^(src|plugins|routes|workers)/' },
      { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] }),

    forbid('kernel-stands-alone', 'The kernel knows typebox and node: only.',
      { path: '^src/kernel/' },
      { pathNot: ['^src/kernel/', '^node_modules/typebox/'], dependencyTypesNot: ['core'] }),
    forbid('config-knows-kernel', 'Config knows the kernel and nothing else of ours.',
      { path: '^src/config/' },
      { path: '^(src|plugins|routes|workers|web)/', pathNot: '^src/(kernel|config)/' }),
    forbid('slices-know-no-domain', 'A slice carries no product noun, and knows no other slice.',
      { path: `^src/${slices}/` },
      { path: '^src/', pathNot: ['^src/kernel/', '^src/$1/'] }),
    forbid('neighbours-use-the-door', 'Other rooms import index.ts of a domain.',
      { path: '^src/([^/]+)/', pathNot: `^src/(kernel|config|${slices})/` },
      { path: '^src/', pathNot: ['^src/kernel/', '^src/$1/', '^src/(?!config/)[^/]+/index\\.ts$'] }),
    forbid('src-knows-no-framework', 'The meaning is free of server, queue and sockets.',
      { path: '^src/' },
      { path: ['^node_modules/(fastify|@fastify|fastify-plugin|bullmq|ioredis|ws)/', '^(plugins|routes|workers)/'] }),
    forbid('only-repositories-speak-mongodb', '`mongodb` in repository.ts and indexes.ts only.',
      { path: '^src/', pathNot: '/(repository|indexes)(\\.ts$|/)' },
      { path: '^node_modules/mongodb/' }),

    forbid('capabilities-know-no-domain', 'What a capability needs of a domain is handed up by a kernel port.',
      { path: capability },
      { path: '^src/', pathNot: [`^src/(kernel|config|${slices})/`] }),
    // What the log must hide is made of the list of variables.
    forbid('capabilities-know-config-types', 'Options in, never the config.',
      { path: capability, pathNot: '^plugins/http/server-options(\\.ts$|/)' },
      { path: '^src/config/', dependencyTypesNot: ['type-only'] }),
    forbid('capabilities-use-the-door', 'A slice is known by its index.ts.',
      { path: capability },
      { path: `^src/${slices}/`, pathNot: '/index\\.ts$' }),
    mayOnlyKnowSlice('mongo|pubsub|inbox|http/versions|http/idempotency', 'system'),
    mayOnlyKnowSlice('queue|events', 'jobs'),
    mayOnlyKnowSlice('fetch', 'fetch'),
    forbid('most-capabilities-know-no-slice', 'The table of capabilities names those that do.',
      {
        path: capability,
        pathNot: '^plugins/(mongo|pubsub|inbox|http/versions|http/idempotency|queue|events|fetch)(\\.ts$|/)'
      },
      { path: `^src/${slices}/` }),
    forbid('plugins-bind-nothing', 'Only plugins/index.ts knows routes and workers.',
      { path: '^plugins/', pathNot: '^plugins/index\\.ts$' },
      { path: '^(routes|workers)/' }),
    forbid('domain-plugins-use-the-door', 'A domain is put together from its index.ts.',
      { path: '^plugins/domains/' },
      { path: '^src/', pathNot: ['^src/kernel/', '/index\\.ts$'] }),
    // What a slice declares and presents, a domain binds.
    forbid('domain-plugins-know-types-of-neighbours', 'A neighbour is a type; it comes by its decorator.',
      { path: '^plugins/domains/([^/.]+)' },
      {
        path: '^src/',
        pathNot: ['^src/kernel/', '^src/$1/', `^src/${slices}/index\\.ts$`],
        dependencyTypesNot: ['type-only']
      }),

    forbid('routes-know-their-own-domain', 'A route sees the kernel and the door of its domain.',
      { path: '^routes/([^/]+)/' },
      { path: '^src/', pathNot: ['^src/kernel/', '^src/$1/index\\.ts$'] }),
    forbid('workers-know-their-own-domain', 'A worker sees the kernel and the door of its domain.',
      { path: '^workers/([^/.]+)', pathNot: [entrypoints, '^workers/index\\.ts$'] },
      { path: '^src/', pathNot: ['^src/kernel/', '^src/$1/index\\.ts$'] }),
    forbid('bindings-see-no-capability-file', 'Bindings know capabilities by what they decorate.',
      { path: '^(routes|workers)/', pathNot: entrypoints },
      { path: '^plugins/' }),
    forbid('routes-and-workers-are-strangers', 'What both need is in the domain.',
      { path: '^routes/' }, { path: '^workers/' }),
    forbid('workers-and-routes-are-strangers', 'What both need is in the domain.',
      { path: '^workers/' }, { path: '^routes/' }),
    forbid('the-order-of-the-house-is-for-entrypoints', 'buildApp is called by processes only.',
      { pathNot: [entrypoints, top] }, { path: '^plugins/(index|entrypoint)\\.ts$' }),
    forbid('only-the-top-imports-the-top', 'Documents, scripts, tests and benches are imported by each other.',
      { path: '^(src|plugins|routes|workers|web)/' }, { path: top }),
    forbid('web-stands-alone', 'Pages import themselves and the vendored modules.',
      { path: '^web/' },
      { pathNot: ['^web/', '^node_modules/(preact|htm|@preact/signals|@preact/signals-core|uplot)/'] }),
    forbid('pages-are-files', 'The product reads and serves web, it does not import it.',
      { path: '^(src|plugins|routes|workers)/' }, { path: '^web/' })
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '\\.data/' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
    cache: false
  }
}
