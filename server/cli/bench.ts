/** `weir bench`: in a process of its own, which may collect garbage when it wants to. */

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';

export function addBench(program: Command, done: (code: number) => void): void {
  program
    .command('bench')
    .description('measure this machine: medians and ratios within one run')
    .argument('[names...]', 'benches to run (default: all)')
    .option('--json', 'one JSON object on standard output')
    .addHelpText('after', '\nExamples:\n  weir bench\n  weir bench --json > bench.json')
    .action(async (names: string[], { json }: { json?: true }) => {
      // Bundled, this module lies beside the bench's.
      const entry = fileURLToPath(new URL('./bench.js', import.meta.url));
      const args = ['--expose-gc', entry, ...names, ...(json === true ? ['--json'] : [])];
      const child = spawn(process.execPath, args, { stdio: 'inherit' });
      done(
        await new Promise<number>((resolve, reject) => {
          child.on('error', reject);
          child.on('close', (code) => resolve(code ?? 1));
        }),
      );
    });
}
