/**
 * Four kinds of tests, told apart by where they are and how they end:
 *   unit         *.test.ts beside the source: no threads, no network
 *   integration  e2e/*.test.ts: the built program, real threads and files
 *   browser      e2e/browser/*.test.ts: journeys in Chromium
 *   systems      e2e/systems/*.test.ts: against other real systems
 */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    reporters: ['default'],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{server,web,shared}/**/*.test.{ts,tsx}'],
          setupFiles: ['server/testing/seeds.ts'],
          pool: 'threads',
          // Patience with a busy machine; nothing is measured by it.
          testTimeout: 240_000,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['e2e/*.test.ts'],
          pool: 'forks',
          testTimeout: 180_000,
          hookTimeout: 180_000,
          poolOptions: { forks: { singleFork: true } },
        },
      },
      {
        test: {
          name: 'browser',
          include: ['e2e/browser/*.test.ts'],
          pool: 'forks',
          testTimeout: 240_000,
          hookTimeout: 180_000,
          poolOptions: { forks: { singleFork: true } },
        },
      },
      {
        test: {
          name: 'systems',
          include: ['e2e/systems/*.test.ts'],
          pool: 'forks',
          testTimeout: 600_000,
          hookTimeout: 600_000,
          poolOptions: { forks: { singleFork: true } },
        },
      },
    ],
  },
});
