/**
 * Who may import whom, checked by `npm run lint`. Calls go down this table; news goes up through subscriptions passed in at construction.
 * A room may always import itself. Do not widen a row to make a finding go away: move the code, or talk about the house first.
 */

const MAY_IMPORT = {
  shared: [],
  'server/base': [],
  'server/engine': ['shared', 'server/base'],
  'server/state-level': ['shared', 'server/base', 'server/engine'],
  'server/runtime': ['shared', 'server/base', 'server/engine'],
  'server/connectors': ['shared', 'server/base', 'server/engine'],
  'server/jobs': ['shared', 'server/base', 'server/engine', 'server/connectors'],
  'server/lab': ['shared', 'server/base', 'server/engine', 'server/runtime', 'server/jobs'],
  'server/flink': ['shared', 'server/base', 'server/engine/graph'],
  'server/api': ['shared', 'server/base', 'server/engine', 'server/runtime', 'server/lab', 'server/flink'],
  'server/cli': ['shared', 'server/(?!testing/|bench/|cli/)[a-z-]+'],
  'server/testing': ['shared', 'server/(?!api/|cli/)[a-z-]+'],
  'server/bench': ['shared', 'server/(?!api/|cli/)[a-z-]+'],
  web: ['shared'],
  e2e: ['shared', 'server'],
};

/** Programs: where running starts. `main` and `worker` put the house together and may import every room. */
const PROGRAMS = '^(server/(main|worker|bench/(main|worker)|testing/simulation/main)\\.ts|web/main\\.tsx)$';
const TEST = '\\.test\\.tsx?$';
/** What only tests use, and declarations. */
const FOR_TESTS = '^server/testing/|[/-](harness|fake-[a-z-]+|sample-[a-z-]+)\\.ts$|\\.d\\.m?ts$';
const OURS = '^(server|shared|web|e2e)/';
const inside = (rooms) => rooms.map((room) => `^${room}/`);

/** One rule a room: its files import themselves and what its row lists. Tests may use `server/testing` besides. */
const rooms = Object.entries(MAY_IMPORT).flatMap(([room, allowed]) => {
  const rule = (kind, from, extra) => ({
    name: `${room}-imports-${kind}`,
    comment: `${room} may import ${[...allowed, ...extra].join(', ') || 'nothing outside itself'}`,
    severity: 'error',
    from: { path: `^${room}/`, ...from },
    to: { path: OURS, pathNot: inside([room, ...allowed, ...extra]) },
  });
  return [
    rule('downwards', { pathNot: TEST }, []),
    rule('downwards-in-tests', { path: `^${room}/.*${TEST}` }, ['server/testing']),
  ];
});

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...rooms,
    {
      name: 'pure-rooms-have-no-node',
      comment: 'engine has no threads, timers, sockets or files; shared runs in the browser too',
      severity: 'error',
      from: { path: '^(server/engine|shared)/', pathNot: TEST },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'threads-may-be-terminated',
      comment: 'what runs in task managers uses #base/files.ts: node:fs/promises may end the process with the thread',
      severity: 'error',
      from: { path: '^server/(base|connectors|jobs|runtime)/', pathNot: TEST },
      to: { path: '^(node:)?fs/promises$' },
    },
    {
      name: 'rooms-are-imported-by-name',
      comment: 'across rooms write #room/…, so that one search shows every edge',
      severity: 'error',
      from: { path: '^server/([a-z-]+)/' },
      to: { path: '^(server/[a-z-]+|shared)/', pathNot: '^server/$1/', dependencyTypesNot: ['aliased-subpath-import'] },
    },
    {
      name: 'no-value-cycles',
      comment: 'legs that import only types may close a circle, values may not',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'declared',
      comment: 'a package that is not in package.json, or a development tool in code that runs',
      severity: 'error',
      from: { path: '^(server|shared)/', pathNot: [TEST, '^server/testing/', '^server/build\\.mjs$'] },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'used-by-a-program',
      comment: 'no program reaches this file: is it dead?',
      severity: 'warn',
      from: { path: PROGRAMS },
      to: { path: '^(server|shared|web)/.*\\.tsx?$', pathNot: [TEST, FOR_TESTS, PROGRAMS], reachable: false },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: ['^dist/', '^e2e/golden/'] },
    tsConfig: { fileName: 'tsconfig.json' },
    // Sees `import type`, and tells it from imports of values.
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
      extensions: ['.ts', '.tsx', '.mjs', '.js', '.json'],
    },
  },
};
